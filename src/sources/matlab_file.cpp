#include "sources/matlab_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>

#include "base/error.hpp"

namespace convoy {

namespace {

static_assert(std::endian::native == std::endian::little,
              "numbers of a file are read in their memory layout");

// Numbers of the format ("MAT-File Format", Level 5): types of data, and classes of arrays.
constexpr std::uint32_t int8 = 1, uint8 = 2, int16 = 3, uint16 = 4, int32 = 5, uint32 = 6, single = 7,
                        real = 9, matrix = 14, compressed = 15, utf8 = 16, utf16 = 17;
constexpr unsigned class_struct = 2, class_char = 4, class_double = 6, class_last_number = 13;

constexpr std::size_t header_bytes = 128, alignment = 8;

[[noreturn]] void fail_damaged(const std::string& reason) {
  fail(ExitCode::bad_data, "damaged or truncated: {}. Download or copy it again", reason);
}

// A piece of data with its type.
struct Element {
  std::uint32_t type = 0;
  std::string_view data;
};

template <typename T>
T number_at(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// Takes the first element off `bytes`. Up to four bytes of data may be in the tag itself, after a size of 16
// bits.
Element take_element(std::string_view& bytes) {
  if (bytes.size() < alignment) fail_damaged("a piece of data is missing");
  const auto type = number_at<std::uint32_t>(bytes, 0), size = number_at<std::uint32_t>(bytes, 4);
  constexpr std::uint32_t half = 16, most_short = 4;
  if (type >> half != 0) {
    if (type >> half > most_short) fail_damaged("a short piece of data has more than 4 bytes");
    const Element element{type & 0xFFFF, bytes.substr(4, type >> half)};
    bytes.remove_prefix(alignment);
    return element;
  }
  bytes.remove_prefix(alignment);
  if (size > bytes.size()) fail_damaged(fmt::format("a piece of data of {} bytes is incomplete", size));
  const Element element{type, bytes.substr(0, size)};
  const std::size_t padded =
      type == compressed ? size : (std::size_t{size} + alignment - 1) / alignment * alignment;
  bytes.remove_prefix(std::min(padded, bytes.size()));
  return element;
}

std::string inflated(std::string_view packed) {
  constexpr std::size_t most_bytes = std::size_t{64} << 20,
                        step = std::size_t{1} << 16;  // the kit's has 1 MB
  z_stream stream{};
  ensure(inflateInit(&stream) == Z_OK, "zlib starts");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string bytes;
  for (int result = Z_OK; result != Z_STREAM_END;) {
    const std::size_t before = bytes.size();
    if (before > most_bytes)
      fail(ExitCode::bad_data, "a variable has more than {} bytes when unpacked", most_bytes);
    bytes.resize(before + step);
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + before);
    stream.avail_out = static_cast<uInt>(step);
    result = inflate(&stream, Z_NO_FLUSH);
    bytes.resize(before + step - stream.avail_out);
    if (result != Z_OK && result != Z_STREAM_END) fail_damaged("its compressed bytes are wrong");
  }
  return bytes;
}

// An array up to its content.
struct Array {
  unsigned kind = 0;
  std::uint64_t elements = 1;
  std::string_view name, content;
};

// Nothing for an array without a description, as an empty field has none.
std::optional<Array> parse_array(std::string_view data) {
  if (data.empty()) return std::nullopt;
  const Element flags = take_element(data), sizes = take_element(data), name = take_element(data);
  if (flags.data.empty() || sizes.type != int32 || sizes.data.size() % 4 != 0)
    fail_damaged("an array has no description");
  Array array{.kind = static_cast<unsigned char>(flags.data[0]), .name = name.data, .content = data};
  for (std::size_t at = 0; at < sizes.data.size(); at += 4) {
    const auto size = number_at<std::int32_t>(sizes.data, at);
    if (size < 0 || __builtin_mul_overflow(array.elements, static_cast<std::uint64_t>(size), &array.elements))
      fail_damaged("an array has sizes that cannot be");
  }
  return array;
}

template <typename T>
double first_as(std::string_view data) {
  if (data.size() < sizeof(T)) fail_damaged("a number is incomplete");
  return static_cast<double>(number_at<T>(data, 0));
}

// A number may be stored in a smaller type than its class.
double first_number(const Element& element) {
  switch (element.type) {
    case int8:
      return first_as<std::int8_t>(element.data);
    case uint8:
      return first_as<std::uint8_t>(element.data);
    case int16:
      return first_as<std::int16_t>(element.data);
    case uint16:
      return first_as<std::uint16_t>(element.data);
    case int32:
      return first_as<std::int32_t>(element.data);
    case uint32:
      return first_as<std::uint32_t>(element.data);
    case single:
      return first_as<float>(element.data);
    case real:
      return first_as<double>(element.data);
    default:
      fail(ExitCode::bad_data, "a number is stored in type {}, which is not one of numbers", element.type);
  }
}

void append_utf8(std::string& text, std::uint16_t unit) {
  if (unit < 0x80) {
    text += static_cast<char>(unit);
  } else if (unit < 0x800) {
    text += static_cast<char>(0xC0 | unit >> 6);
    text += static_cast<char>(0x80 | (unit & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | unit >> 12);
    text += static_cast<char>(0x80 | (unit >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (unit & 0x3F));
  }
}

// Text is stored as bytes or, by newer writers, as 16-bit units.
std::string text_of(const Element& element) {
  if (element.type != uint16 && element.type != utf16) return std::string(element.data);
  std::string text;
  for (std::size_t at = 0; at + 2 <= element.data.size(); at += 2)
    append_utf8(text, number_at<std::uint16_t>(element.data, at));
  return text;
}

void add_field(MatlabRecord& record, const std::string& name, std::string_view data) {
  std::optional<Array> array = parse_array(data);
  if (!array) return;
  if (array->kind == class_char) {
    record[name] = array->content.empty() ? std::string() : text_of(take_element(array->content));
  } else if (array->kind >= class_double && array->kind <= class_last_number && array->elements == 1) {
    record[name] = first_number(take_element(array->content));
  }
}

std::vector<std::string> take_field_names(std::string_view& content) {
  const Element length = take_element(content), names = take_element(content);
  const std::size_t size = length.data.size() == 4 ? number_at<std::uint32_t>(length.data, 0) : 0;
  if (size == 0 || names.data.size() % size != 0 || names.data.empty())
    fail_damaged("the fields of a struct have no names");
  std::vector<std::string> result;
  for (std::size_t at = 0; at < names.data.size(); at += size) {
    const std::string_view name = names.data.substr(at, size);
    result.emplace_back(name.substr(0, name.find('\0')));
  }
  return result;
}

std::vector<MatlabRecord> parse_structs(Array array) {
  if (array.kind != class_struct) fail(ExitCode::bad_data, "{} is not a struct array", array.name);
  const std::vector<std::string> names = take_field_names(array.content);
  std::vector<MatlabRecord> records;
  for (std::uint64_t i = 0; i < array.elements; ++i) {
    MatlabRecord& record = records.emplace_back();
    for (const std::string& name : names) {
      const Element field = take_element(array.content);
      if (field.type != matrix)
        fail_damaged(fmt::format("{}({}).{} is not an array", array.name, i + 1, name));
      add_field(record, name, field.data);
    }
  }
  return records;
}

void check_header(std::string_view bytes) {
  constexpr std::size_t version_at = 124, order_at = 126;
  constexpr std::uint16_t version_5 = 0x0100, version_73 = 0x0200;
  if (bytes.size() < header_bytes) fail(ExitCode::bad_data, "not a MATLAB file");
  const std::string_view order = bytes.substr(order_at, 2);
  const auto version = number_at<std::uint16_t>(bytes, version_at);
  if (order == "MI")
    fail(ExitCode::bad_data, "a MATLAB file of a big-endian machine, which Convoy does not read");
  if (order == "IM" && version == version_73)
    fail(ExitCode::bad_data, "a MATLAB file of version 7.3: save it with the option -v7");
  if (order != "IM" || version != version_5) fail(ExitCode::bad_data, "not a MATLAB file of version 5");
}

}  // namespace

std::vector<MatlabRecord> read_matlab_structs(std::string_view bytes, std::string_view name) {
  check_header(bytes);
  bytes.remove_prefix(header_bytes);
  while (!bytes.empty()) {
    Element variable = take_element(bytes);
    std::string unpacked;
    if (variable.type == compressed) {
      unpacked = inflated(variable.data);
      std::string_view inside = unpacked;
      variable = take_element(inside);
    }
    if (variable.type != matrix) continue;
    const std::optional<Array> array = parse_array(variable.data);
    if (array && array->name == name) return parse_structs(*array);
  }
  fail(ExitCode::bad_data, "it has no struct array {}", name);
}

}  // namespace convoy
