// How a slice of gradients is cut for a sum by MPI: pieces of which a few are in flight. Used by
// mpi_collective.cpp, and by plan/ to predict what such a sum takes.
#pragma once

#include <algorithm>
#include <cstddef>

namespace convoy {

// Each rank's part of a piece has 512 KiB, within limits: parts that stay in the second-level cache between
// their receipt and the addition were fastest (benchmarks/allreduce), and a few pieces in flight keep both
// rounds busy with little scratch memory.
inline constexpr std::size_t slice_part_elements = std::size_t{128} << 10;
inline constexpr std::size_t longest_slice_piece = std::size_t{4} << 20;
inline constexpr std::size_t slice_pieces_in_flight = 8;

inline std::size_t slice_piece_elements(int ranks) {
  return std::min(slice_part_elements * static_cast<std::size_t>(ranks), longest_slice_piece);
}

}  // namespace convoy
