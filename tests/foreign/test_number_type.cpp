#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "base/error.hpp"
#include "foreign/number_type.hpp"

namespace convoy {
namespace {

template <typename Stored>
float single(Stored stored, NumberType type) {
  const std::vector<float> values = floats_of(std::as_bytes(std::span(&stored, 1)), type);
  EXPECT_EQ(values.size(), 1U);
  return values.at(0);
}

TEST(NumberType, EveryHalfHasItsValue) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float value = single(static_cast<std::uint16_t>(bits), NumberType::float16);
    const unsigned exponent = bits >> 10 & 31;
    const double fraction = (bits & 1023) / 1024.0;
    const double magnitude =
        exponent == 0 ? std::pow(2.0, -14) * fraction : std::pow(2.0, exponent - 15.0) * (1 + fraction);
    EXPECT_EQ(std::signbit(value), bits >= 0x8000) << bits;
    if (exponent == 31 && fraction > 0)
      EXPECT_TRUE(std::isnan(value)) << bits;
    else if (exponent == 31)
      EXPECT_TRUE(std::isinf(value)) << bits;
    else
      EXPECT_EQ(std::abs(static_cast<double>(value)), magnitude) << bits;
  }
}

TEST(NumberType, OtherFormats) {
  EXPECT_EQ(single(std::uint16_t{0x3F80}, NumberType::bfloat16), 1.0F);
  EXPECT_EQ(single(std::uint16_t{0xC049}, NumberType::bfloat16), -3.140625F);
  EXPECT_EQ(single(0.1F, NumberType::float32), 0.1F);
  EXPECT_EQ(single(0.1, NumberType::float64), 0.1F);
  EXPECT_EQ(single(1e300, NumberType::float64), std::numeric_limits<float>::infinity());
}

TEST(NumberType, HalfANumberIsABug) {
  const std::byte three[3] = {};
  EXPECT_THROW(floats_of(three, NumberType::float32), Error);
}

}  // namespace
}  // namespace convoy
