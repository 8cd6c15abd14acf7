// The end of a program: softmax, cross-entropy, counts, and the gradient of the scores. Sums are taken in row
// order, so they do not depend on threads.
#pragma once

#include <span>
#include <vector>

#include "data/batch.hpp"
#include "engine/cpu/builder.hpp"
#include "engine/loss_arithmetic.hpp"
#include "engine/program.hpp"

namespace convoy::cpu {

class LossStage {
 public:
  LossStage(Builder& builder, Tensor* scores);

  // Probabilities, losses and ranks of the rows that are there. `batch` was checked (BatchChecks).
  void forward(Library& library, const BatchView& batch);

  // Announces and computes the gradient of Σ loss × scale; rows that are absent get 0.
  Tensor* prepare_backward(Builder& builder);
  void backward(double scale) const;

  BatchMetrics metrics() const { return metrics_; }
  std::span<const float> probabilities() const { return probabilities_; }  // of the rows that are there

 private:
  template <typename Element>
  void backward_as(float scale) const;

  Conversion scores_;
  std::int32_t classes_;
  Tensor* gradient_ = nullptr;
  std::vector<float> all_probabilities_;  // batch × classes
  std::vector<std::int32_t> labels_;
  std::vector<RowLoss> row_losses_;
  std::span<const float> probabilities_;
  int rows_ = 0;
  BatchMetrics metrics_;
};

}  // namespace convoy::cpu
