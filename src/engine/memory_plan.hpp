// Places tensors that live for a part of a pass into one arena, so that those that never live at the same
// time share memory. A pure computation, done once when a program is compiled.
#pragma once

#include <cstddef>
#include <vector>

namespace convoy {

// A piece of memory needed at times first … last (inclusive).
struct PlannedPiece {
  std::size_t bytes = 0;
  int first = 0, last = 0;
  std::size_t offset = 0;  // the result, a multiple of 4096
};

// Fills in the offsets and returns the bytes of the arena. Largest first, each at the lowest place where it
// overlaps no placed piece that lives at the same time (greedy by size: Pisarchyk and Lee 2020, "Efficient
// memory management for deep neural net inference").
std::size_t plan_memory(std::vector<PlannedPiece>& pieces);

}  // namespace convoy
