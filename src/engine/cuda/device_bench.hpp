// Runs the candidates of a question on the device (engine/tuning/tuner.hpp): fills their operands, times them
// by events, and takes a sample of what they computed. Used by what asks questions while a program is
// compiled: convolutions and matrix products. Never inside a capture.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "engine/cuda/libraries.hpp"
#include "engine/cuda/map.hpp"
#include "engine/tuning/tuner.hpp"

namespace convoy::cuda {

// Elements in device memory that candidates read or write.
struct TrialOperand {
  void* data = nullptr;
  std::size_t bytes = 0;
  Element element = Element::float32;
};

// Largest difference between two right results of one sum, relative to the largest value
// (Question::tolerance). Results of 16 bits may round to neighbours, and sums of many terms in another order
// differ by more than one rounding; products in tf32 may also be taken in full float32. A wrong result
// differs by about its own size. In fp32 tf32 is wrong: numbers between 0.5 and 1 are off by up to 2^-12
// each, so that a sum of products is off by about that of its size, while float32 sums of three million terms
// in two orders differ by less than 2^-14.
double result_tolerance(Precision precision, Element result);

class DeviceBench final : public TrialBench {
 public:
  // Candidates read `inputs` and write `result`, all of it, on `stream`.
  DeviceBench(cudaStream_t stream, std::vector<TrialOperand> inputs, const TrialOperand& result);

  void prepare() override;
  std::optional<double> milliseconds(const std::function<bool()>& run, double best) override;
  // Runs of neighbours at even distances, and the last values: all of a small result.
  std::vector<float> result() override;

 private:
  cudaStream_t stream_;
  std::vector<TrialOperand> inputs_;
  TrialOperand result_;
};

// One whose operands are made when the first trial needs them: a rank that takes rank 0's answer needs none.
class LateDeviceBench : public TrialBench {
 public:
  void prepare() final {
    if (!bench_) bench_.emplace(make());
    bench_->prepare();
  }
  std::optional<double> milliseconds(const std::function<bool()>& run, double best) final {
    return bench_->milliseconds(run, best);
  }
  std::vector<float> result() final { return bench_->result(); }

 private:
  virtual DeviceBench make() = 0;

  std::optional<DeviceBench> bench_;
};

}  // namespace convoy::cuda
