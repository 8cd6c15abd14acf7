#include "foreign/safetensors.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "foreign/foreign_error.hpp"
#include "foreign/number_type.hpp"
#include "foreign/tensor_list.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t length_bytes = 8;
constexpr std::uint64_t longest_header = 100'000'000;  // the format's own limit
constexpr const char* metadata_key = "__metadata__";

Words<NumberType> number_words() {
  return {{"F32", NumberType::float32},
          {"F16", NumberType::float16},
          {"BF16", NumberType::bfloat16},
          {"F64", NumberType::float64}};
}

bool holds_integers(std::string_view type) {
  constexpr std::array<std::string_view, 9> types{"BOOL", "U8",  "I8",  "U16", "I16",
                                                  "U32",  "I32", "U64", "I64"};
  return std::ranges::find(types, type) != types.end();
}

// The length of the header; 0 if the file does not begin with one.
std::uint64_t header_length(const FileDescriptor& file) {
  std::array<std::byte, length_bytes + 1> start{};
  if (file.read_at(0, start) != start.size() || start.back() != std::byte{'{'}) return 0;
  std::uint64_t length = 0;
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(&length, start.data(), length_bytes);
  return length <= longest_header && length <= file.size() - length_bytes ? length : 0;
}

// A tensor as the header describes it; begin and end count from the end of the header.
struct Entry {
  std::string name, type;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

// The parsed header. Its depth is limited, so that a small file cannot become a large tree, and names are
// unique, which JSON leaves open.
Json parse_header(const std::string& text) {
  constexpr int deepest = 3;  // {"name": {"shape": [1]}}
  std::set<std::string> names;
  return Json::parse(text, [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth >= deepest &&
        (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start))
      fail(ExitCode::bad_data, "its header is nested too deeply");
    if (depth == 1 && event == Json::parse_event_t::key && !names.insert(value.get<std::string>()).second)
      fail(ExitCode::bad_data, "it has two tensors named {}", readable(value.get<std::string>()));
    return true;
  });
}

std::uint64_t unsigned_of(const Json& value, const char* what) {
  if (!value.is_number_unsigned()) fail(ExitCode::bad_data, "{} is not a whole number from 0", what);
  return value.get<std::uint64_t>();
}

Entry entry_of(const std::string& name, const Json& json) {
  Entry entry;
  entry.name = name;
  entry.type = json.at("dtype").get<std::string>();
  for (const Json& extent : json.at("shape"))
    entry.shape.push_back(static_cast<std::int64_t>(unsigned_of(extent, "an extent of its shape")));
  const Json& places = json.at("data_offsets");
  if (!places.is_array() || places.size() != 2) fail(ExitCode::bad_data, "data_offsets are not two numbers");
  entry.begin = unsigned_of(places[0], "data_offsets");
  entry.end = unsigned_of(places[1], "data_offsets");
  if (entry.end < entry.begin) fail(ExitCode::bad_data, "data_offsets end before they begin");
  return entry;
}

// All entries in the order of their places.
std::vector<Entry> entries_of(const Json& header) {
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name == metadata_key) continue;
    try {
      entries.push_back(entry_of(name, json));
    } catch (const Json::exception& error) {
      fail(ExitCode::bad_data, "{}: its entry in the header is damaged: {}", readable(name), error.what());
    } catch (const Error& error) {
      fail(ExitCode::bad_data, "{}: {}", readable(name), error.what());
    }
  }
  std::ranges::stable_sort(entries, {}, &Entry::begin);
  return entries;
}

// The number format of an entry whose place fits its shape; nothing for integers.
std::optional<NumberType> checked_type(const Entry& entry, std::uint64_t data_bytes) {
  const std::string name = readable(entry.name);
  if (entry.end > data_bytes)
    fail(ExitCode::bad_data, "{}: the file is truncated: the tensor ends at byte {} of {}", name, entry.end,
         data_bytes);
  if (holds_integers(entry.type)) return std::nullopt;
  const auto type = value_of(number_words(), entry.type);
  if (!type)
    fail(ExitCode::bad_data, "{}: numbers of type {} cannot be read, only F32, F16, BF16 and F64", name,
         readable(entry.type));
  const auto count = element_count(entry.shape);
  const std::uint64_t bytes = entry.end - entry.begin;
  if (!count || *count != bytes / bytes_of(*type) || bytes % bytes_of(*type) != 0)
    fail(ExitCode::bad_data, "{}: its shape does not fit its {} bytes", name, bytes);
  return type;
}

SafetensorsContent read_content(const FileDescriptor& file) {
  const std::uint64_t length = header_length(file);
  if (length == 0) fail(ExitCode::bad_data, "it does not begin with the header of a safetensors file");
  const std::uint64_t data = length_bytes + length, data_bytes = file.size() - data;
  const Json header = parse_header(file.read_part(length_bytes, length));
  SafetensorsContent content;
  if (header.contains(metadata_key)) content.metadata = header[metadata_key].get<SafetensorsMetadata>();
  TensorList tensors;
  std::uint64_t position = 0;
  for (const Entry& entry : entries_of(header)) {
    const auto type = checked_type(entry, data_bytes);
    // Each byte belongs to one tensor: the tensors take no more memory than the file justifies.
    if (entry.begin < position)
      fail(ExitCode::bad_data, "{}: its bytes belong to another tensor too", readable(entry.name));
    position = entry.end;
    if (!type) continue;
    NamedTensor tensor{
        tensors.claim(entry.name), entry.shape, {}, std::string(word_of(number_type_words(), *type))};
    std::vector<std::byte> bytes(entry.end - entry.begin);
    file.read_exactly(data + entry.begin, bytes);
    tensor.values = floats_of(bytes, *type);
    tensors.add(std::move(tensor));
  }
  content.tensors = tensors.take();
  return content;
}

std::string header_text(std::span<const NamedTensor> tensors, const SafetensorsMetadata& metadata) {
  nlohmann::ordered_json header;
  SafetensorsMetadata texts = metadata;
  texts["format"] = "pt";
  header[metadata_key] = texts;
  std::uint64_t position = 0;
  for (const NamedTensor& tensor : tensors) {
    const std::uint64_t end = position + tensor.values.size() * sizeof(float);
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((length_bytes - text.size() % length_bytes) % length_bytes, ' ');  // aligns the numbers
  return text;
}

std::string_view bytes_of_values(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

}  // namespace

bool is_safetensors(const fs::path& path) {
  return header_length(open_regular_file(path)) > 0;
}

SafetensorsContent read_safetensors(const fs::path& path) {
  const FileDescriptor file = open_regular_file(path);
  return naming_file(path, [&] {
    try {
      return read_content(file);
    } catch (const Json::exception& error) {
      fail(ExitCode::bad_data, "its header is damaged: {}", error.what());
    }
  });
}

void write_safetensors(const fs::path& path, std::span<const NamedTensor> tensors,
                       const SafetensorsMetadata& metadata) {
  const std::string header = header_text(tensors, metadata);
  const std::uint64_t length = header.size();
  PartialFile partial(path);
  const FileDescriptor file = open_file(partial.path(), O_WRONLY | O_CREAT | O_TRUNC);
  file.write({reinterpret_cast<const char*>(&length), length_bytes});
  file.write(header);
  for (const NamedTensor& tensor : tensors) file.write(bytes_of_values(tensor.values));
  partial.publish();
}

}  // namespace convoy
