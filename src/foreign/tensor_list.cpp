#include "foreign/tensor_list.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "foreign/foreign_error.hpp"

namespace convoy {

std::string_view without_wrappers(std::string_view name) {
  constexpr std::array<std::string_view, 2> wrappers{"module.", "_orig_mod."};
  for (bool stripped = true; stripped;) {
    stripped = false;
    for (const std::string_view wrapper : wrappers) {
      if (!name.starts_with(wrapper)) continue;
      name.remove_prefix(wrapper.size());
      stripped = true;
    }
  }
  return name;
}

std::optional<std::uint64_t> element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) return std::nullopt;
  return static_cast<std::uint64_t>(count);
}

std::string TensorList::claim(std::string_view name) {
  const std::string_view plain = without_wrappers(name);
  const auto is_control = [](unsigned char c) { return c < ' ' || c == 0x7F; };
  if (plain.empty() || std::ranges::any_of(plain, is_control))
    fail(ExitCode::bad_data, "the name of a tensor is empty or contains control characters: '{}'",
         readable(name));
  if (!names_.emplace(plain).second) fail(ExitCode::bad_data, "it has two tensors named {}", readable(plain));
  return std::string(plain);
}

}  // namespace convoy
