#include "data/zip_file.hpp"

#include <fcntl.h>
#include <minizip/unzip.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include "base/error.hpp"
#include "data/parallel_for.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// Values of the format (PKWARE's APPNOTE, 4.4).
constexpr unsigned stored = 0, deflated = 8;
constexpr unsigned encrypted_flag = 1, made_on_dos = 0, made_on_unix = 3, made_on_macos = 19;

class ZipHandle {
 public:
  explicit ZipHandle(const fs::path& path) : name_(path.string()), handle_(unzOpen64(path.c_str())) {
    if (handle_ == nullptr) {
      fail(ExitCode::bad_data,
           "{} is damaged or truncated: a zip's list of members, at its end, is missing. Download or copy it "
           "again "
           "(if it is one part of several, join them first: zip -s 0 FILE --out WHOLE)",
           name_);
    }
  }
  ~ZipHandle() { unzClose(handle_); }
  ZipHandle(const ZipHandle&) = delete;
  ZipHandle& operator=(const ZipHandle&) = delete;

  unzFile get() const { return handle_; }
  const std::string& name() const { return name_; }

  // Of the current member: the place of its bytes. Checks that its own header agrees with the central
  // directory.
  std::uint64_t data_offset(std::string_view member) const {
    int method = 0;
    constexpr int raw = 1;
    if (unzOpenCurrentFile2(handle_, &method, nullptr, raw) != UNZ_OK) {
      fail(ExitCode::bad_data,
           "{} is damaged: the header of {} is not where the zip's list of members places it. Download or "
           "copy it "
           "again",
           name_, member);
    }
    const std::uint64_t offset = unzGetCurrentFileZStreamPos64(handle_);
    unzCloseCurrentFile(handle_);
    return offset;
  }

 private:
  std::string name_;
  unzFile handle_;
};

std::string method_name(unsigned long method) {
  constexpr std::array<std::pair<unsigned long, const char*>, 6> names{
      {{9, "Deflate64"}, {12, "bzip2"}, {14, "LZMA"}, {93, "Zstandard"}, {95, "XZ"}, {98, "PPMd"}}};
  for (const auto& [number, name] : names)
    if (number == method) return name;
  return fmt::format("method {}", method);
}

// Why a member cannot be read; empty if it can.
std::string flaw_of(const unz_file_info64& info) {
  constexpr std::uint64_t largest_ratio = 1032;  // of deflate
  if ((info.flag & encrypted_flag) != 0) return "is encrypted: extract the zip and pack the folder";
  if (info.compression_method != stored && info.compression_method != deflated)
    return fmt::format(
        "is compressed with {}, only Deflate is supported: extract the zip and pack the folder",
        method_name(info.compression_method));
  const bool plausible = info.compression_method == stored
                             ? info.uncompressed_size == info.compressed_size
                             : info.uncompressed_size / largest_ratio <= info.compressed_size;
  return plausible ? ""
                   : fmt::format("has {} bytes, which its {} stored bytes cannot contain",
                                 info.uncompressed_size, info.compressed_size);
}

struct ZipEntry {
  unz_file_info64 info{};
  std::string path;
  bool folder = false, symbolic_link = false;
};

ZipEntry current_entry(const ZipHandle& zip, std::vector<char>& name) {
  ZipEntry entry;
  if (unzGetCurrentFileInfo64(zip.get(), &entry.info, name.data(), name.size(), nullptr, 0, nullptr, 0) !=
      UNZ_OK)
    fail(ExitCode::bad_data, "{} is damaged: its list of members cannot be read. Download or copy it again",
         zip.name());
  std::string stored_name(name.data(), entry.info.size_filename);
  const unsigned long made_on = entry.info.version >> 8;
  if (made_on == made_on_dos) std::ranges::replace(stored_name, '\\', '/');
  if (stored_name.starts_with('/'))
    fail(ExitCode::bad_data,
         "{} contains {}, a path that leads out of the archive: create it again with relative paths",
         zip.name(), stored_name);
  entry.folder = stored_name.ends_with('/');
  if (made_on == made_on_unix || made_on == made_on_macos)
    entry.symbolic_link = (entry.info.external_fa >> 16 & S_IFMT) == S_IFLNK;
  entry.path = clean_member_path(stored_name, zip.name());
  return entry;
}

ArchiveMember member_of(const ZipEntry& entry) {
  ArchiveMember member;
  member.path = entry.path;
  member.bytes = entry.info.uncompressed_size;
  member.packed_bytes = entry.info.compressed_size;
  member.crc32 = static_cast<std::uint32_t>(entry.info.crc);
  member.deflated = entry.info.compression_method == deflated;
  member.flaw = flaw_of(entry.info);
  return member;
}

SourceItem item_of(const ArchiveMember& member) {
  SourceItem item;
  item.name = member.path;
  item.offset = member.offset;
  item.bytes = member.bytes;
  item.packed_bytes = member.packed_bytes;
  item.crc32 = member.crc32;
  item.deflated = member.deflated;
  return item;
}

// The target of a symbolic link is its content.
std::string link_target(const ZipHandle& zip, const ArchiveMember& member) {
  constexpr std::uint64_t longest_target = 1 << 16;
  if (!member.flaw.empty() || member.bytes > longest_target)
    fail(ExitCode::bad_data,
         "{}: {} is a symbolic link that cannot be read: extract the zip and pack the folder", zip.name(),
         member.path);
  SourceItem item = item_of(member);
  item.offset = zip.data_offset(member.path);
  const std::vector<std::byte> bytes = unpack_zip_item(open_file(zip.name(), O_RDONLY), item);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void add_entry(ArchiveListing& listing, const ZipHandle& zip, const ZipEntry& entry) {
  if (entry.folder) {
    listing.folders.push_back(entry.path);
    return;
  }
  ArchiveMember member = member_of(entry);
  if (entry.symbolic_link) {
    listing.links.push_back({entry.path, link_target(zip, member), true});
    return;
  }
  unz64_file_pos position{};
  unzGetFilePos64(zip.get(), &position);
  member.offset = position.pos_in_zip_directory;
  listing.members.push_back(std::move(member));
}

// A program without Zip64 writes the number of members modulo 65536, so that the end of the list is not
// reached. `place`: where the list should end.
void require_end_of_list(const fs::path& path, std::uint64_t place, std::uint64_t members) {
  std::array<char, 4> signature{};
  open_regular_file(path).read_at(place, std::as_writable_bytes(std::span(signature)));
  if (std::string_view(signature.data(), signature.size()) == "PK\1\2")
    fail(ExitCode::bad_data,
         "{} contains more than the {} members that it states (a program without Zip64 wrote it): extract it "
         "and "
         "pack the folder",
         path.string(), members);
}

}  // namespace

ArchiveListing list_zip(const fs::path& path) {
  const std::uint64_t file_bytes = fs::file_size(path);
  const ZipHandle zip(path);
  ArchiveListing listing;
  unz_global_info64 global{};
  unzGetGlobalInfo64(zip.get(), &global);
  std::vector<char> name(std::numeric_limits<std::uint16_t>::max() + 1UL);
  std::uint64_t list_end = 0;
  int result = global.number_entry == 0 ? UNZ_END_OF_LIST_OF_FILE : unzGoToFirstFile(zip.get());
  for (; result == UNZ_OK; result = unzGoToNextFile(zip.get())) {
    const ZipEntry entry = current_entry(zip, name);
    if (entry.info.compressed_size > file_bytes)
      fail(ExitCode::bad_data, "{} is damaged or truncated: {} is larger than the file", path.string(),
           entry.path);
    add_entry(listing, zip, entry);
    constexpr std::uint64_t fixed_bytes = 46;  // of an entry of the list
    list_end = unzGetOffset64(zip.get()) + fixed_bytes + entry.info.size_filename +
               entry.info.size_file_extra + entry.info.size_file_comment;
  }
  if (result != UNZ_END_OF_LIST_OF_FILE)
    fail(ExitCode::bad_data,
         "{} is damaged: its list of members ends after {} of {}. Download or copy it again", path.string(),
         listing.members.size() + listing.folders.size(), global.number_entry);
  require_end_of_list(path, list_end, global.number_entry);
  resolve_links(listing);
  return listing;
}

void locate_zip_items(const fs::path& path, std::span<SourceItem> items, int workers) {
  const std::uint64_t file_bytes = fs::file_size(path);
  constexpr std::int64_t chunk = 1024;  // of a handle, which reads the end of the file when it opens
  const auto count = static_cast<std::int64_t>(items.size());
  parallel_for((count + chunk - 1) / chunk, workers, [&](std::int64_t part) {
    const ZipHandle zip(path);
    const std::int64_t end = std::min(count, (part + 1) * chunk);
    for (SourceItem& item : items.subspan(part * chunk, end - part * chunk)) {
      if (!item.flaw.empty()) continue;
      const unz64_file_pos position{item.offset, 0};
      if (unzGoToFilePos64(zip.get(), &position) != UNZ_OK)
        fail(ExitCode::bad_data, "{} is damaged: the entry of {} cannot be read", path.string(), item.name);
      item.offset = zip.data_offset(item.name);
      if (item.offset + item.packed_bytes > file_bytes)
        fail(ExitCode::bad_data, "{} is damaged or truncated: {} is incomplete. Download or copy it again",
             path.string(), item.name);
    }
  });
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
  std::vector<std::byte> bytes(item.packed_bytes);
  file.read_exactly(item.offset, bytes);
  if (item.deflated) bytes = inflate_all(bytes, item.bytes);
  const auto checksum = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (checksum != item.crc32)
    fail(ExitCode::bad_data, "its bytes in the zip are damaged: the checksum (CRC-32) is wrong");
  return bytes;
}

}  // namespace convoy
