#include "foreign/stored_zip.hpp"

#include <zlib.h>

#include <algorithm>

namespace convoy {
namespace {

// Numbers of the format (PKWARE's APPNOTE, 4.3 to 4.5).
constexpr std::uint64_t version = 45;          // with Zip64
constexpr std::uint64_t utf8_names = 1 << 11;  // flag
constexpr std::uint64_t first_day = 0x21;      // 1 January 1980: the same weights are the same bytes
constexpr std::uint64_t in_extra_field = 0xFFFFFFFF;
constexpr std::uint64_t zip64_field = 1, filler_field = 0x4246;  // "FB", as PyTorch's own
constexpr std::size_t own_header_bytes = 30, field_header_bytes = 4;

// A record of the format: numbers are little-endian.
class Record {
 public:
  explicit Record(std::string_view mark) : text_(mark) {}
  Record() = default;
  Record& u16(std::uint64_t value) { return number(value, 2); }
  Record& u32(std::uint64_t value) { return number(value, 4); }
  Record& u64(std::uint64_t value) { return number(value, 8); }
  Record& bytes(std::string_view text) {
    text_ += text;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  Record& number(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) text_.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
    return *this;
  }
  std::string text_;
};

bool is_large(std::uint64_t number) {
  return number >= in_extra_field;
}

std::uint64_t short_of(std::uint64_t number) {
  return is_large(number) ? in_extra_field : number;
}

// What stands in both headers of an entry between its version and the length of its extra field.
void describe(Record& record, std::string_view name, std::uint64_t bytes, std::uint32_t crc32,
              std::size_t extra_bytes) {
  constexpr std::uint64_t stored = 0, midnight = 0;
  record.u16(version).u16(utf8_names).u16(stored).u16(midnight).u16(first_day).u32(crc32);
  record.u32(short_of(bytes)).u32(short_of(bytes)).u16(name.size()).u16(extra_bytes);
}

}  // namespace

void StoredZip::write(std::string_view text) {
  file_.write(text);
  position_ += text.size();
}

void StoredZip::add(std::string_view name, std::span<const std::byte> bytes, std::uint64_t alignment) {
  const auto crc =
      static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  Record extra;
  if (is_large(bytes.size())) extra.u16(zip64_field).u16(16).u64(bytes.size()).u64(bytes.size());
  const std::uint64_t begin =
      position_ + own_header_bytes + name.size() + extra.text().size() + field_header_bytes;
  const std::uint64_t filler = (alignment - begin % alignment) % alignment;
  if (alignment > 1) extra.u16(filler_field).u16(filler).bytes(std::string(filler, 'Z'));
  Record header("PK\3\4");
  describe(header, name, bytes.size(), crc, extra.text().size());
  header.bytes(name).bytes(extra.text());
  entries_.push_back({std::string(name), position_, bytes.size(), crc});
  write(header.text());
  write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string StoredZip::list_entry(const Entry& entry) {
  Record numbers;
  if (is_large(entry.bytes)) numbers.u64(entry.bytes).u64(entry.bytes);
  if (is_large(entry.offset)) numbers.u64(entry.offset);
  Record extra;
  if (!numbers.text().empty()) extra.u16(zip64_field).u16(numbers.text().size()).bytes(numbers.text());
  Record record("PK\1\2");
  record.u16(version);
  describe(record, entry.name, entry.bytes, entry.crc32, extra.text().size());
  record.u16(0).u16(0).u16(0).u32(0).u32(short_of(entry.offset));  // comment, disk, attributes
  return record.bytes(entry.name).bytes(extra.text()).text();
}

void StoredZip::finish() {
  std::string list;
  for (const Entry& entry : entries_) list += list_entry(entry);
  const std::uint64_t begin = position_, count = entries_.size();
  constexpr std::uint64_t most_counted = 0xFFFF;
  write(list);
  if (is_large(begin) || is_large(list.size()) || count >= most_counted) {
    const std::uint64_t end = position_;
    Record record("PK\6\6");
    record.u64(44).u16(version).u16(version).u32(0).u32(0).u64(count).u64(count).u64(list.size()).u64(begin);
    write(record.text());
    write(Record("PK\6\7").u32(0).u64(end).u32(1).text());
  }
  Record end("PK\5\6");
  end.u16(0).u16(0).u16(std::min(count, most_counted)).u16(std::min(count, most_counted));
  write(end.u32(short_of(list.size())).u32(short_of(begin)).u16(0).text());
}

}  // namespace convoy
