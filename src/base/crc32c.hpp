// CRC-32C (Castagnoli, as in iSCSI, RFC 3720) of image bytes and checkpoint datasets; computed by ISA-L.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace convoy {

// Checksum of `bytes`, continuing from `previous` (0 at the start): crc32c(b, crc32c(a)) is the checksum of a
// followed by b.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t previous = 0);

}  // namespace convoy
