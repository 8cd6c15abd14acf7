// A network compiled for a GPU: the operations of its layer plan, their memory, and the order of a pass. Made
// by cuda_replica.cpp.
//
// Everything between begin_step() and end_step() only enqueues on the compute stream and reads what changes
// from step to step out of device memory, so a step can be recorded as a graph. A pass with no rows runs like
// any other: absent rows take part with zeros and count nowhere.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "engine/cuda/cuda_builder.hpp"
#include "engine/cuda/loss_stage.hpp"
#include "engine/cuda/operation.hpp"
#include "engine/cuda/staged_batches.hpp"
#include "engine/cuda/step_program.hpp"

namespace convoy::cuda {

class CudaProgram final : public StepProgram {
 public:
  // Collective where the tuner gives ranks the same answers. Throws ExitCode::device when the device has not
  // enough memory, saying which batch would fit.
  CudaProgram(const ProgramResources& resources, const ProgramOptions& options);
  ~CudaProgram() override;  // waits for both streams
  CudaProgram(const CudaProgram&) = delete;
  CudaProgram& operator=(const CudaProgram&) = delete;

  void stage(int micro, const BatchView& batch, const PassContext& context) override;
  void forward_staged(int micro) override;
  void backward(bool add, const GradientsReady& ready) override;
  BatchMetrics metrics() const override;
  void read_probabilities(std::span<float> out) const override;
  // Repeats the pass in a second program, made at the first call, that keeps every activation; from what was
  // staged, so the batch need not be there any more.
  void read_activation(int layer_index, std::span<float> out) const override;

  ProgramMemory memory_use() const override;

  int parity() const override { return batches_->parity(); }
  void begin_step() override;
  void end_step() override;

 private:
  // The program behind read_activation: nothing is fused or overwritten, and batches are the caller's.
  struct EveryActivation {};
  CudaProgram(const ProgramResources& resources, const ProgramOptions& options, EveryActivation);

  void compile();
  void build(Builder& builder);
  void add_input(Builder& builder);
  void build_backward(Builder& builder);
  void upload_mean();

  void run_forward(const BatchPlace& place);
  void copy_activation(std::size_t layer, int rows, std::span<float> out) const;

  const ProgramResources resources_;
  const ProgramOptions options_;
  const bool keeps_all_;
  std::optional<StagedBatches> batches_;
  LayerPlan plan_;
  Tensor *input_ = nullptr, *mean_ = nullptr;
  std::vector<OperationPointer> operations_;  // the plan's
  std::optional<LossStage> loss_;

  std::deque<Tensor> tensors_;
  std::deque<LibraryConvolution> convolutions_;
  DeviceMemory arena_;
  std::size_t workspace_bytes_ = 0;  // in it

  bool arrived_ = true;   // the compute stream waits for what was staged
  bool reading_ = false;  // passes of the staged step may be enqueued, their end is not marked yet
  int staged_micro_ = 0;  // the last of the step
  BatchPlace place_;      // of the last forward pass
  int rows_ = 0;

  mutable std::optional<Tuner> lone_tuner_;  // of every_activation_
  mutable std::unique_ptr<CudaProgram> every_activation_;
  mutable bool activations_current_ = false;
};

}  // namespace convoy::cuda
