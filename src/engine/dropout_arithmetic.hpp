// Dropout's arithmetic for four neighbouring units, for the CPU's loop and the GPU's kernel. Units are
// counted within a sample in channel-first order, whatever layout an engine keeps, so masks are the same
// everywhere.
#pragma once

#include <cstdint>

#include "base/host_device.hpp"
#include "base/random.hpp"

namespace convoy {

// What names a dropout layer's bits in one step.
struct DropoutBits {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint32_t layer = 0;      // 0, 1, … in network order
  std::uint32_t threshold = 0;  // see dropout_threshold
};

struct DropoutKeep {
  bool unit[4];
};

// Which of the units 4 · block … 4 · block + 3 of the sample at `position` in the global batch are kept.
CONVOY_HOST_DEVICE inline DropoutKeep dropout_keep(const DropoutBits& bits, std::uint32_t position,
                                                   std::uint32_t block) {
  const PhiloxBlock words = dropout_block(bits.seed, bits.step, bits.layer, position, block);
  return {{words.word[0] >= bits.threshold, words.word[1] >= bits.threshold, words.word[2] >= bits.threshold,
           words.word[3] >= bits.threshold}};
}

}  // namespace convoy
