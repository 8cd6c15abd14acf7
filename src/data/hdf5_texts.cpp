#include "data/hdf5_texts.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.hpp"

namespace convoy {

namespace {

static_assert(std::endian::native == std::endian::little,
              "numbers of a file are read in their memory layout");

constexpr std::size_t reference_bytes = 16;  // length u32, address of the collection u64, number in it u32
constexpr unsigned type_message = 0x03, attribute_message = 0x0C, continuation_message = 0x10;

template <typename T>
T number_at(std::string_view bytes, std::size_t at) {
  if (bytes.size() < sizeof(T) || at > bytes.size() - sizeof(T))
    fail(ExitCode::bad_data, "a structure of the file is truncated");
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string_view slice_of(std::string_view bytes, std::size_t at, std::size_t size) {
  if (at > bytes.size() || size > bytes.size() - at)
    fail(ExitCode::bad_data, "a structure of the file is truncated");
  return bytes.substr(at, size);
}

constexpr std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + 7) / 8 * 8;
}

// A type that Convoy's files have: whole numbers, reals, texts of a fixed or variable length. HDF5 1.10 reads
// the descriptions of others (names in compounds and enumerations, for instance) beyond their end.
void check_type(std::string_view type, bool inside_list = false) {
  constexpr unsigned whole = 0, real = 1, text = 3, list = 9;
  constexpr std::size_t head = 8, whole_bytes = 4, real_bytes = 12;
  const unsigned kind = number_at<std::uint8_t>(type, 0) & 0x0F;
  if (kind == list && !inside_list)
    return check_type(slice_of(type, head, type.size() - std::min(type.size(), head)), true);
  if (kind != whole && kind != real && kind != text)
    fail(ExitCode::bad_data, "its values are neither numbers nor text, but of type {}", kind);
  slice_of(type, 0, head + (kind == whole ? whole_bytes : kind == real ? real_bytes : 0));
}

// An attribute message: its name, and the bytes of its value.
struct Attribute {
  std::string_view name, value;
};

// The bytes of a value of this type (its size is at byte 4) and shape (versions 1 and 2; no rank: a single
// value).
std::uint64_t value_bytes(std::string_view type, std::string_view shape) {
  constexpr std::size_t most_rank = 32;
  const auto version = number_at<std::uint8_t>(shape, 0);
  const std::size_t rank = number_at<std::uint8_t>(shape, 1);
  if (version < 1 || version > 2 || rank > most_rank)
    fail(ExitCode::bad_data, "an attribute has a shape of an unknown form");
  std::uint64_t bytes = number_at<std::uint32_t>(type, 4);
  const std::size_t extents_at = version == 1 ? 8 : 4;
  for (std::size_t i = 0; i < rank; ++i)
    if (__builtin_mul_overflow(bytes, number_at<std::uint64_t>(shape, extents_at + 8 * i), &bytes))
      fail(ExitCode::bad_data, "an attribute has a shape that cannot be");
  constexpr std::uint8_t no_value = 2;
  return version == 2 && number_at<std::uint8_t>(shape, 3) == no_value ? 0 : bytes;
}

Attribute parse_attribute(std::string_view message) {
  const auto version = number_at<std::uint8_t>(message, 0);
  if (version < 1 || version > 3)
    fail(ExitCode::bad_data, "an attribute has the unknown version {}", version);
  std::size_t at = version == 3 ? 9 : 8;
  const auto take = [&](std::size_t size_at) {
    const std::size_t size = number_at<std::uint16_t>(message, size_at);
    const std::string_view part = slice_of(message, at, size);
    at += version == 1 ? padded(size) : size;
    return part;
  };
  const std::string_view name = take(2), type = take(4), shape = take(6);
  const auto end = name.find('\0');
  if (end == name.npos) fail(ExitCode::bad_data, "an attribute's name has no end");
  check_type(type);
  return {name.substr(0, end), slice_of(message, at, value_bytes(type, shape))};
}

}  // namespace

// Each collection is read once and each text is in the heap once: together they are no larger than the file.
Hdf5Texts::Hdf5Texts(const std::filesystem::path& path)
    : file_(open_regular_file(path)), bytes_(file_.size()), heap_left_(bytes_) {}

std::string Hdf5Texts::part(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset > bytes_ || bytes > bytes_ - offset)
    fail(ExitCode::bad_data, "{} bytes at {} are not within the file", bytes, offset);
  return file_.read_part(offset, bytes);
}

const Hdf5Texts::Collection& Hdf5Texts::collection(std::uint64_t offset) {
  if (const auto found = collections_.find(offset); found != collections_.end()) return found->second;
  constexpr std::uint64_t header_bytes = 16;
  const std::string header = part(offset, header_bytes);
  const auto size = number_at<std::uint64_t>(header, 8);
  if (!header.starts_with("GCOL\1") || size < header_bytes || size > heap_left_)
    fail(ExitCode::bad_data, "a text is said to be at byte {}, where the file has none", offset);
  heap_left_ -= size;
  Collection& result = collections_[offset];
  result.bytes = part(offset, size);
  const std::string_view bytes = result.bytes;
  for (std::uint64_t at = header_bytes; at + header_bytes <= size;) {
    const auto number = number_at<std::uint16_t>(bytes, at);
    if (number == 0) break;  // free space, the last
    const auto text_bytes = number_at<std::uint64_t>(bytes, at + 8);
    result.texts[number] = slice_of(bytes, at + header_bytes, text_bytes);
    at += header_bytes + padded(text_bytes);
  }
  return result;
}

std::string Hdf5Texts::text_of(std::string_view reference) {
  const auto length = number_at<std::uint32_t>(reference, 0),
             number = number_at<std::uint32_t>(reference, 12);
  const auto address = number_at<std::uint64_t>(reference, 4);
  if (length == 0 || address == 0) return {};
  const Collection& texts = collection(address);
  const auto found =
      number > 0xFFFF ? texts.texts.end() : texts.texts.find(static_cast<std::uint16_t>(number));
  if (found == texts.texts.end() || found->second.size() < length || length > texts_left_)
    fail(ExitCode::bad_data, "a text of {} bytes is not where it is said to be", length);
  texts_left_ -= length;
  const std::string_view text = found->second.substr(0, length);
  return std::string(text.substr(0, text.find('\0')));
}

std::vector<std::string> Hdf5Texts::at(std::uint64_t offset, std::uint64_t count) {
  if (count > bytes_ / reference_bytes)
    fail(ExitCode::bad_data, "{} texts are more than the file can hold", count);
  texts_left_ = bytes_;
  const std::string references = part(offset, count * reference_bytes);
  std::vector<std::string> texts;
  texts.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i)
    texts.push_back(text_of(std::string_view(references).substr(i * reference_bytes, reference_bytes)));
  return texts;
}

// The messages of one block that describe a type or an attribute; blocks that continue it are added to
// `more`.
void Hdf5Texts::add_messages(std::string_view block, bool version_2, bool ordered,
                             std::vector<Message>& messages, std::vector<Block>& more) {
  const std::size_t head = !version_2 ? 8 : ordered ? 6 : 4;
  for (std::size_t at = 0; at + head <= block.size();) {
    const unsigned type =
        version_2 ? number_at<std::uint8_t>(block, at) : number_at<std::uint16_t>(block, at);
    const std::size_t size = number_at<std::uint16_t>(block, at + (version_2 ? 1 : 2));
    const auto flags = number_at<std::uint8_t>(block, at + (version_2 ? 3 : 4));
    const std::string_view message = slice_of(block, at + head, size);
    if (type == attribute_message || type == type_message) {
      constexpr std::uint8_t shared = 2;
      if ((flags & shared) != 0)
        fail(ExitCode::bad_data, "its type or an attribute is stored elsewhere, which Convoy does not read");
      messages.push_back({type, std::string(message)});
    }
    if (type == continuation_message)
      more.push_back({number_at<std::uint64_t>(message, 0), number_at<std::uint64_t>(message, 8)});
    at += head + size;
  }
}

std::vector<Hdf5Texts::Message> Hdf5Texts::messages_of(std::uint64_t header) const {
  constexpr std::uint64_t largest_start = 32, checksum_bytes = 4, mark_bytes = 4;
  constexpr std::size_t most_blocks = 1000;
  const std::string start = part(header, std::min(largest_start, bytes_ - std::min(header, bytes_)));
  const bool version_2 = start.starts_with("OHDR\2");
  if (!version_2 && !start.starts_with('\1')) fail(ExitCode::bad_data, "its header has an unknown version");
  std::vector<Block> blocks;
  bool ordered = false;
  if (version_2) {
    const auto flags = number_at<std::uint8_t>(start, 5);
    ordered = (flags & 4) != 0;
    const std::size_t size_at = 6 + ((flags & 0x20) != 0 ? 16 : 0) + ((flags & 0x10) != 0 ? 4 : 0);
    const std::size_t size_bytes = std::size_t{1} << (flags & 3);
    std::uint64_t size = 0;
    std::memcpy(&size, slice_of(start, size_at, size_bytes).data(), size_bytes);
    blocks.push_back({header + size_at + size_bytes, size});
  } else {
    blocks.push_back({header + 16, number_at<std::uint32_t>(start, 8)});
  }
  std::vector<Message> messages;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i == most_blocks) fail(ExitCode::bad_data, "its header has no end");
    Block block = blocks[i];
    if (version_2 && i > 0) {  // with a mark before and a checksum behind
      if (block.bytes < mark_bytes + checksum_bytes) fail(ExitCode::bad_data, "its header is truncated");
      block = {block.offset + mark_bytes, block.bytes - mark_bytes - checksum_bytes};
    }
    add_messages(part(block.offset, block.bytes), version_2, ordered, messages, blocks);
  }
  return messages;
}

void Hdf5Texts::check_object(std::uint64_t header) {
  if (checked_.contains(header)) return;
  for (const Message& message : messages_of(header)) {
    if (message.type == type_message)
      check_type(message.bytes);
    else
      parse_attribute(message.bytes);
  }
  checked_.insert(header);
}

std::string Hdf5Texts::of_attribute(std::uint64_t header, std::string_view name) {
  texts_left_ = bytes_;
  for (const Message& message : messages_of(header)) {
    if (message.type != attribute_message) continue;
    const Attribute attribute = parse_attribute(message.bytes);
    if (attribute.name == name) return text_of(slice_of(attribute.value, 0, reference_bytes));
  }
  fail(ExitCode::bad_data,
       "is stored in a way that Convoy does not read: rewrite the file with h5repack --high=0");
}

}  // namespace convoy
