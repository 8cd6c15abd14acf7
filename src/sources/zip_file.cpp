#include "sources/zip_file.hpp"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>

#include "base/error.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// Values of the format (PKWARE's APPNOTE, 4.3 and 4.4).
constexpr unsigned stored = 0, deflated = 8;
constexpr unsigned encrypted_flag = 1, made_on_dos = 0, made_on_unix = 3, made_on_macos = 19;
constexpr std::uint64_t own_header_bytes = 30, entry_bytes = 46, end_bytes = 22, locator_bytes = 20,
                        long_end_bytes = 56;
constexpr std::uint32_t in_extra_field = 0xFFFFFFFF;  // the number is in the Zip64 extra field
constexpr std::string_view own_header_mark = "PK\3\4", entry_mark = "PK\1\2", signature_mark = "PK\5\5",
                           end_mark = "PK\5\6", long_end_mark = "PK\6\6", locator_mark = "PK\6\7";

// A record of the format: numbers are little-endian. Reading beyond its end throws std::out_of_range.
class Record {
 public:
  explicit Record(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number(std::size_t at, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value |= std::uint64_t{static_cast<unsigned char>(bytes_.at(at + i))} << (8 * i);
    return value;
  }
  std::uint16_t u16(std::size_t at) const { return static_cast<std::uint16_t>(number(at, 2)); }
  std::uint32_t u32(std::size_t at) const { return static_cast<std::uint32_t>(number(at, 4)); }
  std::uint64_t u64(std::size_t at) const { return number(at, 8); }
  bool has_mark(std::string_view mark) const { return bytes_.starts_with(mark); }
  std::string_view bytes(std::size_t at, std::size_t size) const {
    if (at + size > bytes_.size()) throw std::out_of_range("a zip's record");
    return bytes_.substr(at, size);
  }

 private:
  std::string_view bytes_;
};

[[noreturn]] void fail_damaged(const fs::path& path, const std::string& reason) {
  fail(ExitCode::bad_data, "{} is damaged or truncated: {}. Download or copy it again", path.string(),
       reason);
}

// The list of members: the central directory.
struct MemberList {
  std::uint64_t offset = 0, bytes = 0, members = 0;
  bool exact_count = false;  // otherwise modulo 65536
};

// The position of the record at a zip's end, which only a comment follows.
std::uint64_t find_end(const fs::path& path, const FileDescriptor& file) {
  constexpr std::uint64_t longest_comment = std::numeric_limits<std::uint16_t>::max();
  const std::uint64_t size = file.size(), searched = std::min(size, end_bytes + longest_comment);
  const std::string tail = file.read_part(size - searched, searched);
  for (auto at = tail.rfind(end_mark); at != std::string::npos;
       at = at == 0 ? at - 1 : tail.rfind(end_mark, at - 1)) {
    if (tail.size() - at < end_bytes) continue;
    if (at + end_bytes + Record(std::string_view(tail).substr(at)).u16(20) <= tail.size())
      return size - searched + at;
  }
  fail_damaged(path,
               "the list of members, at its end, is missing (if it is one part of several, join them: "
               "zip -s 0 FILE --out WHOLE)");
}

MemberList find_list(const fs::path& path, const FileDescriptor& file) {
  std::uint64_t end = find_end(path, file);
  const std::string text = file.read_part(end, end_bytes);
  const Record record(text);
  constexpr std::uint16_t in_long_record = 0xFFFF;
  if (record.u16(4) != 0 && record.u16(4) != in_long_record) {
    fail(ExitCode::bad_data,
         "{} is the last part of a zip in several parts: join them with zip -s 0 FILE --out WHOLE",
         path.string());
  }
  MemberList list{record.u32(16), record.u32(12), record.u16(10), false};
  if (end >= locator_bytes) {
    const std::string locator = file.read_part(end - locator_bytes, locator_bytes);
    if (Record(locator).has_mark(locator_mark)) {
      const std::uint64_t long_end = Record(locator).u64(8);
      if (long_end > end - locator_bytes || end - locator_bytes - long_end < long_end_bytes)
        fail_damaged(path, "its Zip64 record is missing");
      const std::string long_text = file.read_part(long_end, long_end_bytes);
      const Record long_record(long_text);
      if (!long_record.has_mark(long_end_mark)) fail_damaged(path, "its Zip64 record is missing");
      list = {long_record.u64(48), long_record.u64(40), long_record.u64(32), true};
      end = long_end;
    }
  }
  if (list.offset > end || end - list.offset < list.bytes)
    fail_damaged(path, "its list of members is larger than the file");
  return list;
}

std::string method_name(unsigned method) {
  constexpr std::array<std::pair<unsigned, const char*>, 6> names{
      {{9, "Deflate64"}, {12, "bzip2"}, {14, "LZMA"}, {93, "Zstandard"}, {95, "XZ"}, {98, "PPMd"}}};
  for (const auto& [number, name] : names)
    if (number == method) return name;
  return fmt::format("method {}", method);
}

struct ZipEntry {
  ArchiveMember member;
  bool folder = false, symbolic_link = false;
};

// Why a member cannot be read; empty if it can.
std::string flaw_of(const ArchiveMember& member, unsigned flags, unsigned method) {
  constexpr std::uint64_t largest_ratio = 1032;  // of deflate
  if ((flags & encrypted_flag) != 0) return "is encrypted: extract the zip and pack the folder";
  if (method != stored && method != deflated)
    return fmt::format(
        "is compressed with {}, only Deflate is supported: extract the zip and pack the folder",
        method_name(method));
  const bool plausible = method == stored ? member.bytes == member.packed_bytes
                                          : member.bytes / largest_ratio <= member.packed_bytes;
  return plausible ? ""
                   : fmt::format("has {} bytes, which its {} stored bytes cannot contain", member.bytes,
                                 member.packed_bytes);
}

// Replaces the numbers that did not fit by those of the Zip64 extra field, which has them in this order.
void read_long_numbers(ArchiveMember& member, const Record& extra, std::size_t extra_bytes) {
  constexpr unsigned zip64_field = 1;
  for (std::size_t at = 0; at + 4 <= extra_bytes; at += 4 + extra.u16(at + 2)) {
    if (extra.u16(at) != zip64_field) continue;
    std::size_t place = at + 4;
    for (std::uint64_t* number : {&member.bytes, &member.packed_bytes, &member.offset}) {
      if (*number != in_extra_field) continue;
      *number = extra.u64(place);
      place += sizeof(std::uint64_t);
    }
    return;
  }
}

ZipEntry parse_entry(const Record& record, const std::string& archive) {
  const std::size_t name_bytes = record.u16(28), extra_bytes = record.u16(30);
  const unsigned made_on = record.u16(4) >> 8, flags = record.u16(8), method = record.u16(10);
  std::string name(record.bytes(entry_bytes, name_bytes));
  if (made_on == made_on_dos) std::ranges::replace(name, '\\', '/');
  if (name.starts_with('/'))
    fail(ExitCode::bad_data,
         "{} contains {}, a path that leads out of the archive: create it again with relative paths", archive,
         name);
  ZipEntry entry;
  entry.folder = name.ends_with('/');
  if (made_on == made_on_unix || made_on == made_on_macos)
    entry.symbolic_link = (record.u32(38) >> 16 & S_IFMT) == S_IFLNK;
  ArchiveMember& member = entry.member;
  member.path = clean_member_path(name, archive);
  member.crc32 = record.u32(16);
  member.packed_bytes = record.u32(20);
  member.bytes = record.u32(24);
  member.offset = record.u32(42);
  member.deflated = method == deflated;
  read_long_numbers(member, Record(record.bytes(entry_bytes + name_bytes, extra_bytes)), extra_bytes);
  member.flaw = flaw_of(member, flags, method);
  return entry;
}

// The target of a symbolic link is its content.
std::string link_target(const fs::path& path, const FileDescriptor& file, const ArchiveMember& member) {
  constexpr std::uint64_t longest_target = 1 << 16;
  try {
    if (!member.flaw.empty()) fail(ExitCode::bad_data, "{}", member.flaw);
    if (member.bytes > longest_target) fail(ExitCode::bad_data, "its target is too long");
    const std::vector<std::byte> bytes = unpack_zip_item(file, item_of(member));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  } catch (const Error& error) {
    fail(error.category(), "{}: the symbolic link {} cannot be read: {}", path.string(), member.path,
         error.what());
  }
}

void add_entry(ArchiveListing& listing, ZipEntry entry, const fs::path& path, const FileDescriptor& file) {
  if (entry.folder)
    listing.folders.push_back(std::move(entry.member.path));
  else if (entry.symbolic_link)
    listing.links.push_back({entry.member.path, link_target(path, file, entry.member), true});
  else
    listing.members.push_back(std::move(entry.member));
}

}  // namespace

ArchiveListing list_zip(const fs::path& path) {
  const FileDescriptor file = open_regular_file(path);
  const MemberList list = find_list(path, file);
  const std::string text = file.read_part(list.offset, list.bytes);
  ArchiveListing listing;
  std::uint64_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const Record record(std::string_view(text).substr(at));
    if (record.has_mark(signature_mark)) break;
    try {
      if (!record.has_mark(entry_mark)) throw std::out_of_range("no entry");
      ZipEntry entry = parse_entry(record, path.string());
      const ArchiveMember& member = entry.member;
      const std::uint64_t space = list.offset - std::min(list.offset, member.offset);
      if (space < own_header_bytes || space - own_header_bytes < member.packed_bytes)
        fail_damaged(path, fmt::format("{} is outside the file", member.path));
      add_entry(listing, std::move(entry), path, file);
      at += entry_bytes + record.u16(28) + record.u16(30) + record.u16(32);
    } catch (const std::out_of_range&) {
      fail_damaged(path, fmt::format("its list of members is damaged at byte {}", list.offset + at));
    }
  }
  constexpr std::uint64_t modulus = 1 << 16;  // some programs count no further
  if (list.exact_count ? count != list.members : count % modulus != list.members)
    fail_damaged(path, fmt::format("it should have {} members but lists {}", list.members, count));
  resolve_links(listing);
  return listing;
}

namespace {

std::vector<std::byte> inflate_all(std::vector<std::byte>& packed, std::uint64_t bytes) {
  // inflate() needs a place for a byte even if there is none.
  std::vector<std::byte> unpacked(std::max<std::uint64_t>(bytes, 1));
  z_stream stream{};
  constexpr int raw_deflate = -MAX_WBITS;
  ensure(inflateInit2(&stream, raw_deflate) == Z_OK, "zlib starts");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
  constexpr std::uint64_t largest = std::numeric_limits<uInt>::max();
  std::uint64_t given = 0, taken = 0;
  for (int result = Z_OK; result != Z_STREAM_END;) {
    if (stream.avail_in == 0) {
      stream.next_in = reinterpret_cast<Bytef*>(packed.data() + given);
      stream.avail_in = static_cast<uInt>(std::min(largest, packed.size() - given));
      given += stream.avail_in;
    }
    if (stream.avail_out == 0) {
      stream.next_out = reinterpret_cast<Bytef*>(unpacked.data() + taken);
      stream.avail_out = static_cast<uInt>(std::min(largest, unpacked.size() - taken));
      taken += stream.avail_out;
    }
    result = inflate(&stream, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END) break;
  }
  if (stream.total_out != bytes) fail(ExitCode::bad_data, "its compressed bytes in the zip are damaged");
  unpacked.resize(bytes);
  return unpacked;
}

}  // namespace

std::vector<std::byte> unpack_zip_item(const FileDescriptor& file, const SourceItem& item) {
  const std::string header = file.read_part(item.offset, own_header_bytes);
  const Record record(header);
  if (!record.has_mark(own_header_mark)) fail(ExitCode::bad_data, "its header in the zip is damaged");
  std::vector<std::byte> bytes(item.packed_bytes);
  const std::uint64_t begin = item.offset + own_header_bytes + record.u16(26) + record.u16(28);
  if (file.read_at(begin, bytes) != bytes.size())
    fail(ExitCode::bad_data, "its header in the zip is damaged: it points beyond the file");
  if (item.deflated) bytes = inflate_all(bytes, item.bytes);
  const auto checksum = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (checksum != item.crc32)
    fail(ExitCode::bad_data, "its bytes in the zip are damaged: the checksum (CRC-32) is wrong");
  return bytes;
}

}  // namespace convoy
