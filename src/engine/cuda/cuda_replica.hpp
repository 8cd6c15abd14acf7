// A Replica on a GPU, in parts that both kinds share: OnGpu<Replica> is all of one for inference, and
// cuda_training_replica.cpp adds to OnGpu<TrainingReplica> what training needs.
#pragma once

#include <list>
#include <memory>
#include <memory_resource>
#include <span>
#include <string_view>

#include "device/cuda/memory.hpp"
#include "engine/cuda/cuda_state.hpp"
#include "engine/cuda/step_program.hpp"

namespace convoy::cuda {

// Compiles a replica's programs, which all keep filters in one order.
class ProgramCompiler {
 public:
  explicit ProgramCompiler(CudaState& state) : state_(state) {}

  // Brings the flat buffers into the form that a program of `options` needs; whether a 16-bit copy of the
  // parameters was made, which updates must write from now on. Throws ExitCode::usage for a precision that
  // this GPU, or another program of the replica, excludes.
  bool prepare(const ProgramOptions& options);

  // After prepare().
  std::unique_ptr<StepProgram> compile(const ProgramOptions& options);

 private:
  void choose_layout(Layout layout);

  struct Compiled {
    std::weak_ptr<const int> program;
    Layout layout;
  };
  CudaState& state_;
  std::list<Compiled> compiled_;
};

// The part of Replica.
template <typename Kind>
class OnGpu : public Kind {
 public:
  template <typename... Optimizer>
  OnGpu(const NetSpec& spec, const InputSpec& input, const ReplicaOptions& options, Optimizer... optimizer)
      : state_(spec, input, options, optimizer...),
        transfer_memory_(options.device_index),
        compiler_(state_) {}

  const NetSpec& spec() const override { return state_.spec; }
  const ParameterTable& table() const override { return state_.table; }
  std::string_view device_name() const override { return "cuda"; }

  void write_parameters(std::span<const float> values) override { write(state_.parameters, values); }
  void read_parameters(std::span<float> values) const override { read(state_.parameters, values); }

  std::pmr::memory_resource& transfer_memory() override { return transfer_memory_; }

  std::unique_ptr<Program> compile(const ProgramOptions& options) override {
    state_.use_device();
    compiler_.prepare(options);
    return compiler_.compile(options);
  }
  std::span<const Decision> tuning_decisions() const override { return state_.tuner->decisions(); }
  ReplicaMemory memory_use() const override { return state_.memory_use(); }

 protected:
  void write(const DeviceMemory& buffer, std::span<const float> values) {
    state_.use_device();
    state_.write(buffer, values);
  }
  void read(const DeviceMemory& buffer, std::span<float> values) const {
    state_.use_device();
    state_.read(buffer, values);
  }

  CudaState state_;
  PinnedResource transfer_memory_;
  ProgramCompiler compiler_;
};

}  // namespace convoy::cuda
