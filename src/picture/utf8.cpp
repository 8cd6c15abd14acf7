#include "picture/utf8.hpp"

#include <optional>

namespace convoy {
namespace {

constexpr char32_t replacement = 0xFFFD;

struct Form {
  unsigned char mask, lead;  // of the first byte: byte & mask == lead
  std::size_t bytes;
  char32_t least;  // smaller codes have a shorter form
};
constexpr Form forms[] = {
    {0x80, 0x00, 1, 0}, {0xE0, 0xC0, 2, 0x80}, {0xF0, 0xE0, 3, 0x800}, {0xF8, 0xF0, 4, 0x10000}};

std::optional<char32_t> code_of(std::string_view bytes, const Form& form) {
  if (bytes.size() < form.bytes) return {};
  const auto first = static_cast<unsigned char>(bytes[0]);
  auto code = static_cast<char32_t>(first & static_cast<unsigned char>(~form.mask));
  for (std::size_t i = 1; i < form.bytes; ++i) {
    const auto next = static_cast<unsigned char>(bytes[i]);
    if ((next & 0xC0U) != 0x80) return {};
    code = code << 6U | (next & 0x3FU);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < form.least || code > 0x10FFFF || surrogate) return {};
  return code;
}

}  // namespace

std::vector<Character> characters_of(std::string_view text) {
  std::vector<Character> characters;
  for (std::size_t at = 0; at < text.size();) {
    Character next{.code = replacement, .begin = at};
    std::size_t length = 1;
    for (const Form& form : forms) {
      if ((static_cast<unsigned char>(text[at]) & form.mask) != form.lead) continue;
      if (const auto code = code_of(text.substr(at), form)) {
        next.code = *code;
        length = form.bytes;
      }
    }
    characters.push_back(next);
    at += length;
  }
  return characters;
}

}  // namespace convoy
