// A network compiled for the CPU: the operations of its layer plan, their memory, and the order of a pass.
// Made by cpu_replica.cpp.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "engine/batch_checks.hpp"
#include "engine/cpu/cpu_state.hpp"
#include "engine/cpu/input_stage.hpp"
#include "engine/cpu/loss_stage.hpp"
#include "engine/cpu/operation.hpp"
#include "engine/layer_plan.hpp"
#include "engine/program.hpp"

namespace convoy::cpu {

class CpuProgram final : public Program {
 public:
  // `every_activation`: nothing is fused or overwritten, so that every layer's output can be read.
  CpuProgram(CpuState& state, const ProgramOptions& options, bool every_activation = false);

  // Remembers the views: the passes read the batches where they are.
  void stage(int micro, const BatchView& batch, const PassContext& context) override;
  void forward_staged(int micro) override;
  void backward(bool add, const GradientsReady& ready) override;
  BatchMetrics metrics() const override { return loss_->metrics(); }
  void read_probabilities(std::span<float> out) const override;
  // Repeats the pass in a second program, made at the first call, that keeps every activation: the batch of
  // the last forward pass must still be there and the parameters unchanged.
  void read_activation(int layer_index, std::span<float> out) const override;
  double primitive_seconds() const override { return primitive_seconds_; }
  void measure_primitives(bool on) override { measure_ = on; }
  ProgramMemory memory_use() const override { return {.activations = arena_.size()}; }

 private:
  void build(Builder& builder);
  void build_backward(Builder& builder);
  void bind_gradients(float* base);
  void zero_gradients(bool add, const GradientsReady& ready);
  void copy_activation(std::size_t layer, std::span<float> out) const;

  CpuState& state_;
  ProgramOptions options_;
  bool counts_;  // its passes belong to training steps, and backward follows
  BatchChecks checks_;
  LayerPlan plan_;
  std::unique_ptr<InputStage> input_;
  std::vector<OperationPointer> operations_;  // the plan's
  std::vector<std::string> names_;            // theirs, for a timeline
  std::unique_ptr<LossStage> loss_;
  std::vector<GradientView> gradient_views_;
  std::deque<Tensor> tensors_;
  AlignedBuffer arena_;
  float* gradient_base_ = nullptr;  // what the views point into

  struct Staged {
    BatchView batch;
    PassContext context;
  };
  std::vector<Staged> staged_;  // one for each pass of a step

  BatchView batch_;  // of the last forward pass
  Pass pass_;
  bool measure_ = false;
  double primitive_seconds_ = 0;

  mutable std::unique_ptr<CpuProgram> every_activation_;
  mutable bool activations_current_ = false;
};

}  // namespace convoy::cpu
