#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "base/crc32c.hpp"

namespace convoy {
namespace {

std::uint32_t checksum(std::string_view text, std::uint32_t previous = 0) {
  return crc32c(std::as_bytes(std::span(text.data(), text.size())), previous);
}

// RFC 3720, appendix B.4, and the usual check value.
TEST(Crc32c, GivesThePublishedAnswers) {
  EXPECT_EQ(checksum("123456789"), 0xE3069283U);
  EXPECT_EQ(checksum(""), 0U);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0x00})), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32, std::byte{0xFF})), 0x62A8AB43U);
  std::vector<std::byte> ascending(32);
  for (std::size_t i = 0; i < 32; ++i) ascending[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(ascending), 0x46DD794EU);
}

TEST(Crc32c, GoesOnWhereItStopped) {
  const std::string_view text = "The quick brown fox jumps over the lazy dog, and then some more.";
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    EXPECT_EQ(checksum(text.substr(cut), checksum(text.substr(0, cut))), checksum(text));
}

TEST(Crc32c, SeesEverySingleBit) {
  std::vector<std::byte> bytes(300, std::byte{0x5A});
  const std::uint32_t sound = crc32c(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_NE(crc32c(bytes), sound) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
}

}  // namespace
}  // namespace convoy
