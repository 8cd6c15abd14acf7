// All uses of random numbers: the Philox counter of each draw, and the conversion of bits to integers and
// floats. Every draw is a pure function of the run's seed and of its purpose, so it does not depend on the
// number of ranks, on threads, on the engine or on an interruption. tests/base/test_random.cpp contains
// frozen values: changing this file changes every run.
//
// clang-format off
//   purpose          word 0         word 1         word 2        word 3, below the purpose in its top 8 bits
//   initial_weights  element/4, lo  element/4, hi  parameter     0
//   sample_order     position       epoch          piece (node)  0
//   augmentation     sample         epoch          draw          0
//   dropout          unit/4         position       step, lo      dropout layer << 16 | step, bits 32 to 47
//   synthesis        image          class          draw          0
// clang-format on
//
// A block contains four 32-bit words; "x/4" means that word x%4 of the block belongs to element x. "lo" and
// "hi" are halves of 64 bits; a dropout's position is that of the sample in the global batch.
#pragma once

#include <cstdint>

#include "base/host_device.hpp"
#include "base/philox.hpp"

namespace convoy {

enum class RandomPurpose : std::uint32_t {
  initial_weights = 1,
  sample_order = 2,
  augmentation = 3,
  dropout = 4,
  synthesis = 5,
};

CONVOY_HOST_DEVICE inline std::uint32_t purpose_word(RandomPurpose purpose, std::uint32_t rest = 0) {
  return static_cast<std::uint32_t>(purpose) << 24 | (rest & 0x00FFFFFFu);
}

// Uniform in [0, 1): the upper 24 bits, each value exact in float.
CONVOY_HOST_DEVICE inline float unit_float(std::uint32_t bits) {
  return static_cast<float>(bits >> 8) * (1.0F / 16777216.0F);
}

// Uniform in (0, 1), never 0, for logarithms.
CONVOY_HOST_DEVICE inline double open_unit_double(std::uint32_t bits) {
  return (static_cast<double>(bits) + 0.5) * (1.0 / 4294967296.0);
}

// Uniform integer in [0, bound), bound ≤ 2^32: the integer part of (64 random bits / 2^64) · bound, from the
// products of the two halves (bias below 2^-32).
inline std::uint64_t bounded_integer(std::uint32_t low, std::uint32_t high, std::uint64_t bound) {
  const std::uint64_t carried = (std::uint64_t{low} * bound) >> 32;
  return (std::uint64_t{high} * bound + carried) >> 32;
}

// Two independent N(0, 1) from two words (Box and Muller 1958), computed on the host only, since libm and
// CUDA differ in the last bit.
struct NormalPair {
  double first, second;
};
NormalPair normal_pair(std::uint32_t bits0, std::uint32_t bits1);

// The block of word `unit / 4` for dropout layer `layer` (0, 1, … in network order) of the sample at
// `position` in the global batch of step `step`.
CONVOY_HOST_DEVICE inline PhiloxBlock dropout_block(std::uint64_t seed, std::uint64_t step,
                                                    std::uint32_t layer, std::uint32_t position,
                                                    std::uint32_t unit_block) {
  return philox(seed, {{unit_block, position, static_cast<std::uint32_t>(step),
                        purpose_word(RandomPurpose::dropout,
                                     layer << 16 | (static_cast<std::uint32_t>(step >> 32) & 0xFFFFu))}});
}

// A word below the threshold drops the unit: probability `p` in steps of 2^-32.
CONVOY_HOST_DEVICE inline std::uint32_t dropout_threshold(double p) {
  return static_cast<std::uint32_t>(p * 4294967296.0);
}

// Draws `draw`, `draw + 1`, … of sample `sample` in `epoch`: four words per draw.
inline PhiloxBlock augmentation_block(std::uint64_t seed, std::uint32_t epoch, std::uint32_t sample,
                                      std::uint32_t draw) {
  return philox(seed, {{sample, epoch, draw, purpose_word(RandomPurpose::augmentation)}});
}

inline PhiloxBlock order_block(std::uint64_t seed, std::uint32_t epoch, std::uint32_t piece,
                               std::uint32_t position) {
  return philox(seed, {{position, epoch, piece, purpose_word(RandomPurpose::sample_order)}});
}

inline PhiloxBlock weight_block(std::uint64_t seed, std::uint32_t parameter, std::uint64_t element_block) {
  return philox(seed,
                {{static_cast<std::uint32_t>(element_block), static_cast<std::uint32_t>(element_block >> 32),
                  parameter, purpose_word(RandomPurpose::initial_weights)}});
}

inline PhiloxBlock synthesis_block(std::uint64_t seed, std::uint32_t klass, std::uint32_t image,
                                   std::uint32_t draw) {
  return philox(seed, {{image, klass, draw, purpose_word(RandomPurpose::synthesis)}});
}

}  // namespace convoy
