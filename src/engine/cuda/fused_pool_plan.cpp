// How the fused pooling cuts a map into blocks, and which shapes it serves.
#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "engine/cuda/fused_pool.cuh"

namespace convoy::cuda {
namespace fused {

namespace {

// The number of bands for which waves of blocks times the rows of each are fewest. `more`: rows beyond its
// own that a band works on, in halves.
int best_bands(const Plan& plan, int images, int more) {
  const auto cost = [&](int bands) {
    const int rows = (plan.rows + bands - 1) / bands;
    const int used = (plan.rows + rows - 1) / rows;
    const int waves = (images * plan.tiles * used + blocks_at_once - 1) / blocks_at_once;
    return waves * (rows * 2 + more);
  };
  int best = 1;
  for (int bands = 2; bands <= plan.rows; ++bands) {
    if (cost(bands) < cost(best)) best = bands;
  }
  return best;
}

Plan plan_of(const FusedPoolShape& shape) {
  Plan plan{};
  plan.channels = shape.input.channels;
  plan.height = shape.input.height;
  plan.width = shape.input.width;
  plan.output_height = shape.output_height;
  plan.output_width = shape.output_width;
  plan.groups = plan.channels * static_cast<int>(bytes_of(shape.input.element)) / 16;
  plan.straddles_warps = 32 % plan.groups != 0;
  plan.half = shape.normalisation.size / 2;
  plan.k = shape.normalisation.k;
  plan.alpha = shape.normalisation.alpha / static_cast<float>(std::max(shape.normalisation.size, 1));
  plan.beta = shape.normalisation.beta;
  return plan;
}

void set_threads(Plan& plan, int working_columns, int most_columns) {
  const int turns = (working_columns + most_columns - 1) / most_columns;
  plan.columns_at_once = (working_columns + turns - 1) / turns;
  plan.threads = (plan.columns_at_once * plan.groups + 31) / 32 * 32;
}

void set_bands(Plan& plan, int images, int more) {
  const int bands = best_bands(plan, images, more);
  plan.band_rows = (plan.rows + bands - 1) / bands;
  plan.bands = (plan.rows + plan.band_rows - 1) / plan.band_rows;
}

// Both plans have no tiles where the shape is not served.
Plan forward_plan_or_none(const FusedPoolShape& shape) {
  Plan plan = plan_of(shape);
  plan.rows = plan.output_height;
  plan.columns = plan.output_width;
  const int most_columns = forward_threads / plan.groups;
  if (most_columns == 0) return plan;
  // As few tiles as shared memory allows for three rows of vectors.
  for (int tiles = 1; tiles <= plan.columns; ++tiles) {
    plan.tile_columns = (plan.columns + tiles - 1) / tiles;
    plan.shared_columns = (plan.tile_columns - 1) * pool_stride + pool_window;
    set_threads(plan, plan.shared_columns, most_columns);
    plan.shared_bytes = static_cast<unsigned>(16 * pool_window * plan.shared_columns * plan.groups);
    if (plan.shared_bytes > unasked_shared_bytes) continue;
    plan.tiles = (plan.columns + plan.tile_columns - 1) / plan.tile_columns;
    set_bands(plan, shape.input.rows, 3);
    break;
  }
  return plan;
}

Plan backward_plan_or_none(const FusedPoolShape& shape) {
  Plan plan = plan_of(shape);
  plan.rows = (plan.height + 1) / 2;
  plan.columns = (plan.width + 1) / 2;
  const int most_columns = backward_threads / plan.groups;
  if (most_columns == 0) return plan;
  plan.tiles = (plan.columns + most_columns - 1) / most_columns;
  plan.tile_columns = (plan.columns + plan.tiles - 1) / plan.tiles;
  plan.tiles = (plan.columns + plan.tile_columns - 1) / plan.tile_columns;
  set_threads(plan, plan.tile_columns, most_columns);
  // What the warps' edges exchange; in the end the bias gradient of each thread.
  const unsigned edges = static_cast<unsigned>(4 * 2 * plan.threads / 32 * 2 * most_half);
  const unsigned bias = static_cast<unsigned>(plan.columns_at_once * plan.channels * 4);
  plan.shared_bytes = std::max(edges, bias);
  set_bands(plan, shape.input.rows, 1);
  return plan;
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
  const auto outputs = [&](int side) {
    return (side + shape.after - fused::pool_window) / fused::pool_stride + 1;
  };
  // Then a window's first place is in the map, and among zeros the first is not one of the padding.
  const auto begin_inside = [](int windows, int side) { return (windows - 1) * fused::pool_stride < side; };
  if (input.layout != Layout::channels_last || input.rows < 1 || input.channels % 8 != 0) return false;
  if (shape.window != fused::pool_window || shape.stride != fused::pool_stride) return false;
  if (input.elements() > most_map_elements) return false;
  if (input.height < fused::pool_window || input.width < fused::pool_window) return false;
  if (shape.output_height != outputs(input.height) || shape.output_width != outputs(input.width))
    return false;
  if (shape.after < 0 || !begin_inside(shape.output_height, input.height) ||
      !begin_inside(shape.output_width, input.width))
    return false;
  if (size != 0 && (size < 3 || size > 2 * fused::most_half + 1 || size % 2 == 0)) return false;
  return fused::forward_plan_or_none(shape).tiles > 0 && fused::backward_plan_or_none(shape).tiles > 0;
}

std::size_t fused_pool_code_bytes(const FusedPoolShape& shape) {
  return static_cast<std::size_t>(std::int64_t{shape.input.rows} * shape.output_height * shape.output_width *
                                  shape.input.channels / 2);
}

}  // namespace convoy::cuda
