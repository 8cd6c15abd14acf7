#include "engine/memory_plan.hpp"

#include <algorithm>
#include <numeric>

namespace convoy {

namespace {

constexpr std::size_t page = 4096;

std::size_t in_pages(std::size_t bytes) {
  return (bytes + page - 1) / page * page;
}

bool live_together(const PlannedPiece& a, const PlannedPiece& b) {
  return a.first <= b.last && b.first <= a.last;
}

// The lowest offset where `piece` fits beside `placed`, which are sorted by offset.
std::size_t lowest_fit(const PlannedPiece& piece, const std::vector<const PlannedPiece*>& placed) {
  std::size_t offset = 0;
  for (const PlannedPiece* other : placed) {
    if (!live_together(piece, *other)) continue;
    if (offset + in_pages(piece.bytes) <= other->offset) break;
    offset = std::max(offset, other->offset + in_pages(other->bytes));
  }
  return offset;
}

}  // namespace

std::size_t plan_memory(std::vector<PlannedPiece>& pieces) {
  std::vector<std::size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return pieces[a].bytes > pieces[b].bytes; });
  std::vector<const PlannedPiece*> placed;
  std::size_t total = 0;
  for (const std::size_t index : order) {
    PlannedPiece& piece = pieces[index];
    piece.offset = lowest_fit(piece, placed);
    total = std::max(total, piece.offset + in_pages(piece.bytes));
    const auto place =
        std::upper_bound(placed.begin(), placed.end(), &piece,
                         [](const PlannedPiece* a, const PlannedPiece* b) { return a->offset < b->offset; });
    placed.insert(place, &piece);
  }
  return total;
}

}  // namespace convoy
