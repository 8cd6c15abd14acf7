#include "foreign/number_type.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/error.hpp"

namespace convoy {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors in files are little-endian");

// IEEE 754 binary16: 1 sign bit, 5 bits of exponent (bias 15), 10 of fraction.
float from_half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  float value = 0;
  if (exponent == 31)
    value = fraction == 0 ? HUGE_VALF : NAN;
  else if (exponent == 0)
    value = std::ldexp(static_cast<float>(fraction), -24);
  else
    value = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return (bits & 0x8000) != 0 ? -value : value;
}

// The upper half of a float32.
float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

template <typename Stored, typename Convert>
std::vector<float> converted(std::span<const std::byte> bytes, Convert convert) {
  std::vector<float> values(bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = convert(stored);
  }
  return values;
}

}  // namespace

Words<NumberType> number_type_words() {
  return {{"float32", NumberType::float32},
          {"float16", NumberType::float16},
          {"bfloat16", NumberType::bfloat16},
          {"float64", NumberType::float64}};
}

std::size_t bytes_of(NumberType type) {
  switch (type) {
    case NumberType::float16:
    case NumberType::bfloat16:
      return 2;
    case NumberType::float64:
      return 8;
    case NumberType::float32:
      break;
  }
  return 4;
}

std::vector<float> floats_of(std::span<const std::byte> bytes, NumberType type) {
  ensure(bytes.size() % bytes_of(type) == 0, "whole numbers are converted");
  switch (type) {
    case NumberType::float16:
      return converted<std::uint16_t>(bytes, from_half);
    case NumberType::bfloat16:
      return converted<std::uint16_t>(bytes, from_bfloat16);
    case NumberType::float64:
      return converted<double>(bytes, [](double value) { return static_cast<float>(value); });
    case NumberType::float32:
      break;
  }
  return converted<float>(bytes, [](float value) { return value; });
}

}  // namespace convoy
