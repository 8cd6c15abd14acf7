// How the fused pooling cuts a map into blocks, and which shapes it serves.
#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "engine/cuda/fused_pool.cuh"

namespace convoy::cuda {
namespace fused {

namespace {

// The number of bands for which waves of blocks times the rows of each (a band works on three rows beyond its
// own) are fewest.
int best_bands(const Plan& plan, int images) {
  const auto cost = [&](int bands) {
    const int outputs = (plan.output_height + bands - 1) / bands;
    const int used = (plan.output_height + outputs - 1) / outputs;
    const int waves = (images * plan.tiles * used + blocks_at_once - 1) / blocks_at_once;
    return waves * (outputs * pool_stride + pool_window);
  };
  int best = 1;
  for (int bands = 2; bands <= plan.output_height; ++bands) {
    if (cost(bands) < cost(best)) best = bands;
  }
  return best;
}

// `halo`: input columns beyond two for each output column. No tiles where the shape is not served.
Plan make_plan(const FusedPoolShape& shape, int most_threads, int halo,
               unsigned (*shared_bytes)(const Plan& plan)) {
  Plan plan{};
  plan.channels = shape.input.channels;
  plan.height = shape.input.height;
  plan.width = shape.input.width;
  plan.output_height = shape.output_height;
  plan.output_width = shape.output_width;
  plan.groups = plan.channels * static_cast<int>(bytes_of(shape.input.element)) / 16;
  plan.half = shape.normalisation.size / 2;
  plan.k = shape.normalisation.k;
  plan.alpha = shape.normalisation.alpha / static_cast<float>(std::max(shape.normalisation.size, 1));
  plan.beta = shape.normalisation.beta;

  // As few tiles as shared memory allows; 0 where it does not hold one output column.
  for (int tiles = 1; tiles <= plan.output_width; ++tiles) {
    const int outputs = (plan.output_width + tiles - 1) / tiles;
    plan.tile_outputs = outputs;
    plan.shared_windows = outputs + 1;
    plan.shared_columns = std::min(outputs * pool_stride + halo, plan.width);
    const int most_columns = most_threads / plan.groups;
    if (most_columns == 0) break;
    const int turns = (plan.shared_columns + most_columns - 1) / most_columns;
    plan.columns_at_once = (plan.shared_columns + turns - 1) / turns;
    plan.threads = (plan.columns_at_once * plan.groups + 31) / 32 * 32;
    plan.shared_bytes = shared_bytes(plan);
    if (plan.shared_bytes > unasked_shared_bytes) continue;
    plan.tiles = (plan.output_width + outputs - 1) / outputs;
    break;
  }
  if (plan.tiles == 0) return plan;

  const int bands = best_bands(plan, shape.input.rows);
  plan.band_outputs = (plan.output_height + bands - 1) / bands;
  plan.bands = (plan.output_height + plan.band_outputs - 1) / plan.band_outputs;
  return plan;
}

// Three rows of vectors.
unsigned forward_shared_bytes(const Plan& plan) {
  return static_cast<unsigned>(16 * pool_window * plan.shared_columns * plan.groups);
}

// Beside them two rows of codes and what the warps' edges exchange; in the end the bias gradient of each
// thread.
unsigned backward_shared_bytes(const Plan& plan) {
  const unsigned codes = static_cast<unsigned>(4 * 2 * plan.shared_windows * plan.groups);
  const unsigned edges = static_cast<unsigned>(4 * 2 * plan.threads / 32 * 2 * most_half);
  const unsigned bias = static_cast<unsigned>(plan.columns_at_once * plan.channels * 4);
  return std::max(forward_shared_bytes(plan) + codes + edges, bias);
}

Plan forward_plan_or_none(const FusedPoolShape& shape) {
  return make_plan(shape, forward_threads, 1, forward_shared_bytes);
}
Plan backward_plan_or_none(const FusedPoolShape& shape) {
  return make_plan(shape, backward_threads, 3, backward_shared_bytes);
}

}  // namespace

Plan forward_plan(const FusedPoolShape& shape) {
  ensure(serves_fused_pool(shape), "fused pooling serves the shape");
  return forward_plan_or_none(shape);
}

Plan backward_plan(const FusedPoolShape& shape) {
  ensure(serves_fused_pool(shape), "fused pooling serves the shape");
  return backward_plan_or_none(shape);
}

}  // namespace fused

bool serves_fused_pool(const FusedPoolShape& shape) {
  const MapShape& input = shape.input;
  const int size = shape.normalisation.size;
  const auto outputs = [](int side) { return (side - fused::pool_window) / fused::pool_stride + 1; };
  if (input.layout != Layout::channels_last || input.rows < 1 || input.channels % 8 != 0) return false;
  if (shape.window != fused::pool_window || shape.stride != fused::pool_stride) return false;
  if (input.row_elements() > std::numeric_limits<int>::max()) return false;
  if (input.height < fused::pool_window || input.width < fused::pool_window) return false;
  if (shape.output_height != outputs(input.height) || shape.output_width != outputs(input.width))
    return false;
  if (size != 0 && (size < 3 || size > 2 * fused::most_half + 1 || size % 2 == 0)) return false;
  return fused::forward_plan_or_none(shape).tiles > 0 && fused::backward_plan_or_none(shape).tiles > 0;
}

}  // namespace convoy::cuda
