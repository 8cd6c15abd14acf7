// Softmax, cross-entropy and counts behind the scores, and where backward begins. Used by cuda_program.cpp.
#pragma once

#include <span>

#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

class LossStage {
 public:
  LossStage(Builder& builder, const ProgramResources& resources, Tensor* scores);

  // Enqueues the loss; what it finds is added to the replica's sums in training programs, where it writes the
  // gradient of the scores too.
  void forward(const Pass& pass) const;
  Tensor* gradient() const { return gradient_; }  // null in evaluation

  // Of the last pass, of its first `rows` rows; they wait for the device.
  BatchMetrics metrics(int rows) const;
  void read_probabilities(int rows, std::span<float> out) const;

 private:
  const ProgramResources& resources_;
  Tensor* scores_;
  Tensor *probabilities_, *row_losses_, *own_sums_;
  Tensor* gradient_ = nullptr;
  int batch_, classes_;
  bool training_;
};

}  // namespace convoy::cuda
