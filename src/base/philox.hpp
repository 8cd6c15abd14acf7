// Philox 4x32-10, the counter-based generator of all random numbers in Convoy: J. Salmon et al., "Parallel
// random numbers: as easy as 1, 2, 3", SC 2011. A pure function of (key, counter), the same on host and
// device. base/random.hpp lists all uses.
#pragma once

#include <cstdint>

#include "base/host_device.hpp"

namespace convoy {

struct PhiloxCounter {
  std::uint32_t word[4];
};

struct PhiloxBlock {
  std::uint32_t word[4];
};

// Ten rounds with key = (low, high half of `seed`).
CONVOY_HOST_DEVICE inline PhiloxBlock philox(std::uint64_t seed, PhiloxCounter counter) {
  std::uint32_t key0 = static_cast<std::uint32_t>(seed);
  std::uint32_t key1 = static_cast<std::uint32_t>(seed >> 32);
  std::uint32_t c0 = counter.word[0], c1 = counter.word[1], c2 = counter.word[2], c3 = counter.word[3];
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * c0;
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * c2;
    const std::uint32_t next0 = static_cast<std::uint32_t>(product1 >> 32) ^ c1 ^ key0;
    const std::uint32_t next2 = static_cast<std::uint32_t>(product0 >> 32) ^ c3 ^ key1;
    c1 = static_cast<std::uint32_t>(product1);
    c3 = static_cast<std::uint32_t>(product0);
    c0 = next0;
    c2 = next2;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

}  // namespace convoy
