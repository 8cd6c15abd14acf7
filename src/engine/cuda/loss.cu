#include "engine/cuda/kernels.hpp"
#include "engine/cuda/launch.cuh"
#include "engine/loss_arithmetic.hpp"

namespace convoy::cuda {

namespace {

// One block a row. The exponentials' sum is taken in double in a fixed order; the loss comes from the scores,
// not from p, which may have underflown to 0 (as softmax_row of engine/loss_arithmetic.hpp).
__global__ void __launch_bounds__(block_threads)
    loss_rows_kernel(const float* __restrict__ all_scores, const std::int32_t* __restrict__ labels,
                     int classes, const PassParameters* pass, float* __restrict__ all_probabilities,
                     DeviceRowLoss* __restrict__ row_losses) {
  __shared__ double shared[block_threads];
  __shared__ float shared_highest[block_threads];
  const auto row = static_cast<int>(blockIdx.x);
  const float* const scores = all_scores + static_cast<std::int64_t>(row) * classes;
  float* const probabilities = all_probabilities + static_cast<std::int64_t>(row) * classes;
  if (row >= pass->rows) {
    for (int c = static_cast<int>(threadIdx.x); c < classes; c += block_threads) probabilities[c] = 0;
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
  for (int c = static_cast<int>(threadIdx.x); c < classes; c += block_threads) probabilities[c] *= inverse;
  if (threadIdx.x != 0) return;
  const double loss =
      known ? log(sum) - (static_cast<double>(scores[truth]) - static_cast<double>(highest)) : nan("");
  // A label that is none is never right.
  row_losses[row] = {loss, known ? static_cast<std::int32_t>(rank) : INT32_MAX, 0};
}

// One block: its threads fetch the rows' losses, one of them adds these up in the order of the rows, so that
// sums do not depend on anything else (256 additions take about a microsecond).
__global__ void __launch_bounds__(block_threads)
    loss_sums_kernel(const DeviceRowLoss* __restrict__ row_losses, const PassParameters* pass,
                     MetricSums* sums) {
  __shared__ double losses[block_threads];
  __shared__ std::int32_t ranks[block_threads];
  const int rows = pass->rows;
  MetricSums total = *sums;
  for (int first = 0; first < rows; first += block_threads) {
    const int mine = first + static_cast<int>(threadIdx.x);
    if (mine < rows) {
      losses[threadIdx.x] = row_losses[mine].loss;
      ranks[threadIdx.x] = row_losses[mine].rank;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      const int count = rows - first < block_threads ? rows - first : block_threads;
      for (int i = 0; i < count; ++i) {
        total.loss += losses[i];
        total.top1 += ranks[i] < 1 ? 1 : 0;
        total.top5 += ranks[i] < 5 ? 1 : 0;
      }
    }
    __syncthreads();
  }
  total.samples += rows;
  if (threadIdx.x == 0) *sums = total;
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    loss_backward_kernel(const float* __restrict__ probabilities, const std::int32_t* __restrict__ labels,
                         std::int64_t count, int classes, const PassParameters* pass,
                         const LossScaleState* loss_scale, T* __restrict__ gradient) {
  const float scale = pass->gradient_scale * loss_scale->scale;
  const std::int64_t there = static_cast<std::int64_t>(pass->rows) * classes;
  for (std::int64_t i = thread_number(); i < count; i += thread_count()) {
    float value = 0;
    if (i < there) {
      const std::int64_t row = i / classes;
      value = score_gradient(probabilities[i], labels[row] == static_cast<std::int32_t>(i - row * classes),
                             scale);
    }
    store(gradient[i], value);
  }
}

}  // namespace

void loss_forward(cudaStream_t stream, const float* scores, const std::int32_t* labels, int batch,
                  int classes, const PassParameters* pass, float* probabilities, DeviceRowLoss* row_losses,
                  MetricSums* sums) {
  loss_rows_kernel<<<static_cast<unsigned>(batch), block_threads, 0, stream>>>(scores, labels, classes, pass,
                                                                               probabilities, row_losses);
  check_launch("loss_forward");
  loss_sums_kernel<<<1, block_threads, 0, stream>>>(row_losses, pass, sums);
  check_launch("loss_forward");
}

void loss_backward(cudaStream_t stream, const float* probabilities, const std::int32_t* labels, int batch,
                   int classes, const PassParameters* pass, const LossScaleState* loss_scale, void* gradient,
                   Element element) {
  const std::int64_t count = std::int64_t{batch} * classes;
  with_element(element, [&](auto zero) {
    using T = decltype(zero);
    loss_backward_kernel<<<blocks_for(count), block_threads, 0, stream>>>(
        probabilities, labels, count, classes, pass, loss_scale, static_cast<T*>(gradient));
  });
  check_launch("loss_backward");
}

}  // namespace convoy::cuda
