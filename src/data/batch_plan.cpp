#include "data/batch_plan.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "base/error.hpp"
#include "base/random.hpp"

namespace convoy {

namespace {

// Fisher-Yates shuffle, from the last element down.
void shuffle(std::span<std::uint32_t> ids, std::uint64_t seed, std::uint32_t epoch, std::uint32_t piece) {
  for (std::size_t i = ids.size(); i-- > 1;) {
    const PhiloxBlock bits = order_block(seed, epoch, piece, static_cast<std::uint32_t>(i));
    std::swap(ids[i], ids[bounded_integer(bits.word[0], bits.word[1], i + 1)]);
  }
}

}  // namespace

std::int64_t BatchPlan::samples_in_step(std::int64_t index) const {
  return std::clamp<std::int64_t>(images - index * global_batch, 0, global_batch);
}

Range BatchPlan::rows(std::int64_t step_in_epoch, int rank, int micro) const {
  const Range mine = part_of(samples_in_step(step_in_epoch), ranks, rank);
  const Range part = part_of(mine.size(), accumulate, micro);
  return {mine.begin + part.begin, mine.begin + part.end};
}

int BatchPlan::rows_at_most() const {
  const std::int64_t largest_step = std::min(images, global_batch);
  const std::int64_t largest_part = (largest_step + ranks - 1) / ranks;
  return static_cast<int>((largest_part + accumulate - 1) / accumulate);
}

std::vector<std::uint32_t> sample_order(std::uint64_t seed, std::uint32_t epoch, std::int64_t images) {
  std::vector<std::uint32_t> order(static_cast<std::size_t>(images));
  std::iota(order.begin(), order.end(), 0U);
  shuffle(order, seed, epoch, 0);
  return order;
}

std::vector<Range> node_pieces(const BatchPlan& plan, int nodes) {
  ensure(nodes >= 1, "an order by node needs a node");
  const std::int64_t steps = plan.steps_per_epoch();
  std::vector<Range> pieces;
  std::int64_t begin = 0;
  for (int node = 0; node < nodes; ++node) {
    std::int64_t size = 0;
    if (steps > 0) {  // all steps but the last have the same number of samples
      size = (steps - 1) * part_of(plan.samples_in_step(0), nodes, node).size() +
             part_of(plan.samples_in_step(steps - 1), nodes, node).size();
    }
    pieces.push_back({begin, begin + size});
    begin += size;
  }
  return pieces;
}

std::vector<std::uint32_t> sample_order_by_node(std::uint64_t seed, std::uint32_t epoch,
                                                const BatchPlan& plan, int nodes) {
  std::vector<Range> pieces = node_pieces(plan, nodes);
  std::vector<std::uint32_t> shuffled(static_cast<std::size_t>(plan.images));
  std::iota(shuffled.begin(), shuffled.end(), 0U);
  for (int node = 0; node < nodes; ++node) {
    const Range& piece = pieces[static_cast<std::size_t>(node)];
    const std::span<std::uint32_t> ids(shuffled.data() + piece.begin, shuffled.data() + piece.end);
    shuffle(ids, seed, epoch, static_cast<std::uint32_t>(node));
  }
  std::vector<std::uint32_t> order;
  order.reserve(shuffled.size());
  for (std::int64_t step = 0; step < plan.steps_per_epoch(); ++step) {
    for (int node = 0; node < nodes; ++node) {
      const std::int64_t count = part_of(plan.samples_in_step(step), nodes, node).size();
      std::int64_t& next = pieces[static_cast<std::size_t>(node)].begin;
      order.insert(order.end(), shuffled.begin() + next, shuffled.begin() + next + count);
      next += count;
    }
  }
  return order;
}

}  // namespace convoy
