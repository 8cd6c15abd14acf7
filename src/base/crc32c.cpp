#include "base/crc32c.hpp"

#include <isa-l/crc.h>

#include <algorithm>

namespace convoy {

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t previous) {
  constexpr std::size_t piece = std::size_t{1} << 30;  // ISA-L takes the length as an int
  std::uint32_t state = ~previous;
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), piece);
    // ISA-L's parameter lacks const; it only reads.
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
    state = crc32_iscsi(data, static_cast<int>(count), state);
    bytes = bytes.subspan(count);
  }
  return ~state;
}

}  // namespace convoy
