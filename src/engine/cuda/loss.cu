#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"
#include "engine/loss_arithmetic.hpp"

namespace convoy::cuda {

namespace {

// One block a row. The exponentials' sum is taken in double in a fixed order; the loss comes from the scores,
// not from p, which may have underflown to 0 (as softmax_row of engine/loss_arithmetic.hpp). GRADIENT: the
// scores' gradient too.
template <typename T, bool GRADIENT>
__global__ void __launch_bounds__(block_threads)
    loss_rows_kernel(const float* __restrict__ all_scores, const std::int32_t* __restrict__ labels,
                     int classes, const PassParameters* pass, float* __restrict__ all_probabilities,
                     DeviceRowLoss* __restrict__ row_losses,
                     [[maybe_unused]] const LossScaleState* loss_scale,
                     [[maybe_unused]] T* __restrict__ all_gradients) {
  __shared__ double shared[block_threads];
  __shared__ float shared_highest[block_threads];
  const auto row = static_cast<int>(blockIdx.x);
  const float* const scores = all_scores + static_cast<std::int64_t>(row) * classes;
  float* const probabilities = all_probabilities + static_cast<std::int64_t>(row) * classes;
  if (row >= pass->rows) {
    for (int c = static_cast<int>(threadIdx.x); c < classes; c += block_threads) {
      probabilities[c] = 0;
      if (GRADIENT) store(all_gradients[static_cast<std::int64_t>(row) * classes + c], 0.0F);
    }
    return;
  }
  const int truth = labels[row];
  const bool known = truth >= 0 && truth < classes;

  float highest = scores[0];
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += block_threads)
    highest = scores[c] > highest ? scores[c] : highest;
  shared_highest[threadIdx.x] = highest;
  __syncthreads();
  for (int half = block_threads / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) {
      const float other = shared_highest[threadIdx.x + half];
      if (other > shared_highest[threadIdx.x]) shared_highest[threadIdx.x] = other;
    }
    __syncthreads();
  }
  highest = shared_highest[0];

  double mine = 0, before = 0;
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += block_threads) {
    const float e = expf(scores[c] - highest);
    probabilities[c] = e;
    mine += static_cast<double>(e);
    if (known && ranks_before(scores[c], c, scores[truth], truth)) before += 1;
  }
  const double sum = block_sum(mine, shared);
  __syncthreads();
  const double rank = block_sum(before, shared);
  const auto inverse = static_cast<float>(1.0 / sum);
  float scale = 0;
  if (GRADIENT) scale = pass->gradient_scale * loss_scale->scale;
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += block_threads) {
    const float probability = probabilities[c] * inverse;
    probabilities[c] = probability;
    if (GRADIENT) {
      store(all_gradients[static_cast<std::int64_t>(row) * classes + c],
            score_gradient(probability, c == truth, scale));
    }
  }
  if (threadIdx.x != 0) return;
  const double loss =
      known ? log(sum) - (static_cast<double>(scores[truth]) - static_cast<double>(highest)) : nan("");
  // A label that is none is never right.
  row_losses[row] = {loss, known ? static_cast<std::int32_t>(rank) : INT32_MAX, 0};
}

// One block: its threads fetch the rows' losses, one of them adds these up in the order of the rows, so that
// sums do not depend on anything else; it reads eight at a time, so that only the additions (some 8 cycles
// each) wait for one another. All threads count.
__global__ void __launch_bounds__(block_threads)
    loss_sums_kernel(const DeviceRowLoss* __restrict__ row_losses, const PassParameters* pass,
                     MetricSums* sums) {
  __shared__ double losses[block_threads];
  constexpr int at_once = 8;
  const int rows = pass->rows;
  MetricSums total = *sums;
  for (int first = 0; first < rows; first += block_threads) {
    const int mine = first + static_cast<int>(threadIdx.x);
    DeviceRowLoss row{0, INT32_MAX, 0};
    if (mine < rows) row = row_losses[mine];
    losses[threadIdx.x] = row.loss;  // adding 0 for a row that is absent changes nothing
    total.top1 += __syncthreads_count(row.rank < 1 ? 1 : 0);
    total.top5 += __syncthreads_count(row.rank < 5 ? 1 : 0);
    if (threadIdx.x == 0) {
      const int count = rows - first < block_threads ? rows - first : block_threads;
      for (int i = 0; i < count; i += at_once) {
        double next[at_once];
#pragma unroll
        for (int j = 0; j < at_once; ++j) next[j] = losses[i + j];
#pragma unroll
        for (int j = 0; j < at_once; ++j) total.loss += next[j];
      }
    }
    __syncthreads();
  }
  total.samples += rows;
  if (threadIdx.x == 0) *sums = total;
}

}  // namespace

void loss(cudaStream_t stream, const float* scores, const std::int32_t* labels, int batch, int classes,
          const PassParameters* pass, float* probabilities, DeviceRowLoss* row_losses, MetricSums* sums,
          const LossGradient& gradient) {
  const auto blocks = static_cast<unsigned>(batch);
  if (gradient.values == nullptr) {
    loss_rows_kernel<float, false><<<blocks, block_threads, 0, stream>>>(
        scores, labels, classes, pass, probabilities, row_losses, nullptr, nullptr);
  } else {
    with_element(gradient.element, [&](auto zero) {
      using T = decltype(zero);
      loss_rows_kernel<T, true>
          <<<blocks, block_threads, 0, stream>>>(scores, labels, classes, pass, probabilities, row_losses,
                                                 gradient.loss_scale, static_cast<T*>(gradient.values));
    });
  }
  check_launch("loss");
  loss_sums_kernel<<<1, block_threads, 0, stream>>>(row_losses, pass, sums);
  check_launch("loss");
}

}  // namespace convoy::cuda
