#include "report/page/data_uri.hpp"

#include <cstdint>

namespace convoy {
namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string data_uri(std::string_view media_type, std::string_view bytes) {
  std::string text = "data:" + std::string(media_type) + ";base64,";
  text.reserve(text.size() + bytes.size() / 3 * 4 + 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) text += i <= group.size() ? digits[bits >> (18 - 6 * i) & 63U] : '=';
  }
  return text;
}

}  // namespace convoy
