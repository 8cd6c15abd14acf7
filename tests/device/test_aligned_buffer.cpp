#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "device/aligned_buffer.hpp"

namespace convoy::test {
namespace {

TEST(AlignedBuffer, IsAlignedAndZeroed) {
  // Sizes on both sides of the huge-page border, none a multiple of anything.
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{1000}, (std::size_t{2} << 20) + 12345}) {
    const AlignedBuffer buffer(bytes);
    ASSERT_EQ(buffer.size(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % AlignedBuffer::alignment, 0U);
    const auto values = buffer.as<std::uint8_t>();
    EXPECT_TRUE(std::all_of(values.begin(), values.end(), [](std::uint8_t value) { return value == 0; }));
  }
}

TEST(AlignedBuffer, ViewsWholeElementsOnly) {
  const AlignedBuffer buffer(10);
  EXPECT_EQ(buffer.as<float>().size(), 2U);
  EXPECT_EQ(buffer.as<double>().size(), 1U);
}

TEST(AlignedBuffer, EmptyHasNoMemory) {
  const AlignedBuffer buffer(0);
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_TRUE(buffer.as<float>().empty());
}

TEST(AlignedBuffer, MoveHandsTheMemoryOver) {
  AlignedBuffer first(64);
  std::byte* const memory = first.data();
  AlignedBuffer second(std::move(first));
  EXPECT_EQ(second.data(), memory);
  AlignedBuffer third(128);
  third = std::move(second);
  EXPECT_EQ(third.data(), memory);
  EXPECT_EQ(third.size(), 64U);
}

TEST(AlignedBuffer, TooLargeARequestIsADeviceErrorWithItsSize) {
  for (const std::size_t bytes : {std::numeric_limits<std::size_t>::max(), std::size_t{1} << 60}) {
    try {
      const AlignedBuffer buffer(bytes);
      FAIL() << "no memory is that large";
    } catch (const Error& error) {
      EXPECT_EQ(error.category(), ExitCode::device);
      EXPECT_NE(std::string(error.what()).find("MB of memory"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace convoy::test
