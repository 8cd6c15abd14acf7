// How work is divided into contiguous parts: samples among ranks, elements among threads.
#pragma once

#include <cstdint>

namespace convoy {

// The half-open range [begin, end).
struct Range {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
};

// Part `index` of `parts` of [0, total): sizes differ by at most one.
inline Range part_of(std::int64_t total, int parts, int index) {
  return {total * index / parts, total * (index + 1) / parts};
}

}  // namespace convoy
