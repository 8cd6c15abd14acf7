#include "report/event_reader.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/atomic_file.hpp"

namespace convoy::test {
namespace {

template <typename Value>
Value take(std::string_view& bytes) {
  Value value{};
  EXPECT_GE(bytes.size(), sizeof value);
  if (bytes.size() < sizeof value) return value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

std::uint32_t crc_by_bits(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
  }
  return ~crc;
}

std::uint32_t unmasked(std::uint32_t masked) {
  const std::uint32_t rotated = masked - 0xa282ead8U;
  return rotated >> 17 | rotated << 15;
}

// A field of a message: a number (varint, or the bits of 4 or 8 bytes) or bytes.
struct Field {
  int number = 0;
  std::uint64_t bits = 0;
  std::string_view bytes;

  double real() const {
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  float real4() const {
    const auto low = static_cast<std::uint32_t>(bits);
    float value = 0;
    std::memcpy(&value, &low, sizeof value);
    return value;
  }
  std::string text() const { return std::string(bytes); }
};

std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

std::vector<Field> fields_of(std::string_view message) {
  std::vector<Field> fields;
  while (!message.empty()) {
    const std::uint64_t key = take_varint(message);
    Field field{.number = static_cast<int>(key >> 3), .bits = 0, .bytes = {}};
    switch (key & 7) {
      case 0:
        field.bits = take_varint(message);
        break;
      case 1:
        field.bits = take<std::uint64_t>(message);
        break;
      case 5:
        field.bits = take<std::uint32_t>(message);
        break;
      case 2: {
        const std::uint64_t length = take_varint(message);
        EXPECT_LE(length, message.size());
        field.bytes = message.substr(0, length);
        message.remove_prefix(std::min<std::size_t>(length, message.size()));
        break;
      }
      default:
        ADD_FAILURE() << "a field of an unknown form";
        return fields;
    }
    fields.push_back(field);
  }
  return fields;
}

std::vector<double> packed(std::string_view bytes) {
  std::vector<double> values;
  while (!bytes.empty()) values.push_back(take<double>(bytes));
  return values;
}

ReadHistogram histogram_of(std::string_view message) {
  ReadHistogram histogram;
  for (const Field& field : fields_of(message)) {
    if (field.number == 1) histogram.min = field.real();
    if (field.number == 2) histogram.max = field.real();
    if (field.number == 3) histogram.count = field.real();
    if (field.number == 4) histogram.sum = field.real();
    if (field.number == 5) histogram.sum_squares = field.real();
    if (field.number == 6) histogram.limits = packed(field.bytes);
    if (field.number == 7) histogram.counts = packed(field.bytes);
  }
  return histogram;
}

ReadImage image_of(std::string_view message) {
  ReadImage image;
  for (const Field& field : fields_of(message)) {
    if (field.number == 1) image.height = static_cast<std::int64_t>(field.bits);
    if (field.number == 2) image.width = static_cast<std::int64_t>(field.bits);
    if (field.number == 3) image.colours = static_cast<std::int64_t>(field.bits);
    if (field.number == 4) image.bytes = field.text();
  }
  return image;
}

// plugin_data.content → session_start_info → hparams.
void add_settings(std::string_view metadata, ReadEvent& event) {
  for (const Field& plugin : fields_of(metadata)) {
    if (plugin.number != 1) continue;
    for (const Field& content : fields_of(plugin.bytes)) {
      if (content.number != 2) continue;
      for (const Field& start : fields_of(content.bytes)) {
        if (start.number != 3) continue;
        for (const Field& entry : fields_of(start.bytes)) {
          if (entry.number != 1) continue;
          std::string key, value;
          for (const Field& part : fields_of(entry.bytes)) {
            if (part.number == 1) key = part.text();
            if (part.number != 2) continue;
            for (const Field& kind : fields_of(part.bytes))
              value = kind.number == 3 ? kind.text() : fmt::format("number {}", kind.real());
          }
          event.settings[key] = value;
        }
      }
    }
  }
}

void add_value(std::string_view message, ReadEvent& event) {
  std::string tag;
  const std::vector<Field> fields = fields_of(message);
  for (const Field& field : fields)
    if (field.number == 1) tag = field.text();
  for (const Field& field : fields) {
    if (field.number == 2) event.scalars[tag] = field.real4();
    if (field.number == 4) event.images[tag] = image_of(field.bytes);
    if (field.number == 5) event.histograms[tag] = histogram_of(field.bytes);
    if (field.number == 9) add_settings(field.bytes, event);
    if (field.number == 8)
      for (const Field& part : fields_of(field.bytes))
        if (part.number == 8) event.texts[tag] += part.text();
  }
}

ReadEvent event_of(std::string_view message) {
  ReadEvent event;
  for (const Field& field : fields_of(message)) {
    if (field.number == 1) event.wall_time = field.real();
    if (field.number == 2) event.step = static_cast<std::int64_t>(field.bits);
    if (field.number == 3) event.file_version = field.text();
    if (field.number == 5)
      for (const Field& value : fields_of(field.bytes))
        if (value.number == 1) add_value(value.bytes, event);
    if (field.number == 7)
      for (const Field& part : fields_of(field.bytes))
        event.starts_session |= part.number == 1 && part.bits == 1;
  }
  return event;
}

}  // namespace

std::vector<std::string> read_records(const std::string& file) {
  std::vector<std::string> records;
  std::string_view rest = file;
  while (!rest.empty()) {
    const std::string_view length_bytes = rest.substr(0, 8);
    const auto length = take<std::uint64_t>(rest);
    EXPECT_EQ(unmasked(take<std::uint32_t>(rest)), crc_by_bits(length_bytes));
    EXPECT_LE(length + 4, rest.size());
    if (length + 4 > rest.size()) break;
    const std::string_view bytes = rest.substr(0, length);
    rest.remove_prefix(length);
    EXPECT_EQ(unmasked(take<std::uint32_t>(rest)), crc_by_bits(bytes));
    records.emplace_back(bytes);
  }
  return records;
}

std::vector<ReadEvent> read_events(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path))
      if (entry.path().filename().string().starts_with("events.out.tfevents.")) files.push_back(entry.path());
    std::ranges::sort(files);
  } else {
    files.push_back(path);
  }
  std::vector<ReadEvent> events;
  for (const auto& file : files)
    for (const std::string& record : read_records(read_text_file(file))) events.push_back(event_of(record));
  return events;
}

std::vector<ReadEvent> kept_events(const std::vector<ReadEvent>& events) {
  std::vector<ReadEvent> kept;
  bool started = false;
  for (const ReadEvent& event : events) {
    if (event.starts_session && started)
      std::erase_if(kept, [&](const ReadEvent& earlier) { return earlier.step >= event.step; });
    started |= event.starts_session;
    kept.push_back(event);
  }
  return kept;
}

}  // namespace convoy::test
