#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"

namespace convoy::cuda {

namespace {

// Elements of the flat gradient behind one block sum: 64 KB, so that a bucket of 8 MB is spread over 128
// blocks and the last kernel has some 3,700 sums of AlexNet's 61 million gradients to add.
constexpr std::size_t piece_elements = std::size_t{1} << 14;

constexpr float largest_scale = 16777216.0F;  // 2^24: beyond it float32's own range ends soon

// One block a piece: the part of the piece that lies in [begin, end). Squares are taken and added in double,
// where no square of a float overflows.
__global__ void __launch_bounds__(block_threads)
    inspect_kernel(const float* __restrict__ gradients, std::uint64_t begin, std::uint64_t end,
                   std::uint64_t first_piece, double* __restrict__ block_sums) {
  __shared__ double shared[block_threads];
  const std::uint64_t piece = first_piece + blockIdx.x;
  const std::uint64_t start = piece * piece_elements;
  const std::uint64_t from = start > begin ? start : begin;
  const std::uint64_t to = start + piece_elements < end ? start + piece_elements : end;
  double sum = 0;
  // Buckets begin at tensors, which are aligned; a range that is not is read value by value.
  const bool aligned = reinterpret_cast<std::uintptr_t>(gradients + from) % sizeof(Vector<float>) == 0;
  const std::uint64_t vectors = aligned ? (to - from) / 4 : 0;
  for (std::uint64_t i = threadIdx.x; i < vectors; i += block_threads) {
    const Vector<float> values = reinterpret_cast<const Vector<float>*>(gradients + from)[i];
    for (const float value : values.at) sum += static_cast<double>(value) * static_cast<double>(value);
  }
  for (std::uint64_t i = from + 4 * vectors + threadIdx.x; i < to; i += block_threads)
    sum += static_cast<double>(gradients[i]) * static_cast<double>(gradients[i]);
  const double total = block_sum(sum, shared);
  // Two ranges may meet in one piece; they are inspected one after the other on the stream.
  if (threadIdx.x == 0) block_sums[piece] += total;
}

__device__ void move_loss_scale(LossScaleState& state, bool finite) {
  if (state.dynamic == 0) return;
  if (!finite) {
    state.scale = fmaxf(state.scale * 0.5F, 1.0F);
    state.good_steps = 0;
    ++state.skipped;
  } else if (++state.good_steps >= LossScale::growth_interval) {
    state.scale = fminf(state.scale * 2.0F, largest_scale);
    state.good_steps = 0;
  }
}

__global__ void __launch_bounds__(block_threads)
    finish_inspection_kernel(double* __restrict__ block_sums, int blocks, MetricSums* sums,
                             LossScaleState* loss_scale, const UpdateParameters* update,
                             UpdateControl* control, DeviceStepResult* ring, bool updated) {
  __shared__ double shared[block_threads];
  double mine = 0;
  for (int i = static_cast<int>(threadIdx.x); i < blocks; i += block_threads) {
    mine += block_sums[i];
    block_sums[i] = 0;
  }
  const double squares = block_sum(mine, shared);
  if (threadIdx.x != 0) return;
  const bool finite = isfinite(squares);
  const float scale = loss_scale->scale;
  const bool unsound = control->unsound_weights != 0;
  const bool unsound_before = control->unsound_before != 0 || (unsound && !updated);
  ring[update->ring_place] = {*sums, squares, scale, finite ? 1 : 0, unsound_before ? 0 : 1};
  *sums = MetricSums{};
  control->unsound_before = unsound && updated ? 1 : 0;
  control->unsound_weights = 0;
  control->apply = finite ? 1 : 0;
  control->inverse_loss_scale = update->inverse_loss_scale / scale;
  control->recount = loss_scale->skipped != 0 ? 1 : 0;
  if (control->recount != 0) {
    const double made = static_cast<double>(update->number - loss_scale->skipped);
    control->power1 = pow(update->beta1, made);
    control->power2 = pow(update->beta2, made);
  }
  move_loss_scale(*loss_scale, finite);
}

}  // namespace

std::size_t inspection_blocks(std::size_t elements) {
  return (elements + piece_elements - 1) / piece_elements;
}

void inspect(cudaStream_t stream, const float* gradients, std::size_t begin, std::size_t end,
             double* block_sums) {
  if (begin >= end) return;
  const std::size_t first = begin / piece_elements, last = (end - 1) / piece_elements;
  inspect_kernel<<<static_cast<unsigned>(last - first + 1), block_threads, 0, stream>>>(gradients, begin, end,
                                                                                        first, block_sums);
  check_launch("inspect");
}

void finish_inspection(cudaStream_t stream, double* block_sums, std::size_t blocks, MetricSums* sums,
                       LossScaleState* loss_scale, const UpdateParameters* update, UpdateControl* control,
                       DeviceStepResult* ring, bool updated) {
  finish_inspection_kernel<<<1, block_threads, 0, stream>>>(block_sums, static_cast<int>(blocks), sums,
                                                            loss_scale, update, control, ring, updated);
  check_launch("finish_inspection");
}

}  // namespace convoy::cuda
