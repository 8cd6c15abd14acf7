#include "checkpoint/checkpoint_format.hpp"

#include <bit>

#include "base/crc32c.hpp"

namespace convoy::checkpoint_format {

static_assert(std::endian::native == std::endian::little, "checksums are taken of the bytes in memory");

std::uint32_t checksum_of(std::span<const float> values) {
  return crc32c(std::as_bytes(values));
}

std::uint32_t checksum_of(const std::vector<std::string>& texts) {
  std::uint32_t sum = 0;
  for (const std::string& text : texts)
    sum = crc32c(std::as_bytes(std::span(text.c_str(), text.size() + 1)), sum);
  return sum;
}

std::string parameter_dataset(const Parameter& parameter) {
  return "/parameters/" + parameter.path();
}

std::string slot_dataset(const std::string& slot, const Parameter& parameter) {
  return "/optimizer/" + slot + "/" + parameter.path();
}

}  // namespace convoy::checkpoint_format
