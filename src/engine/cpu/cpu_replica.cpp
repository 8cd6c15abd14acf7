#include "engine/cpu/cpu_replica.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>
#include <vector>

#include "device/cpu/cpu_facts.hpp"
#include "engine/cpu/cpu_program.hpp"
#include "engine/cpu/cpu_state.hpp"
#include "engine/cpu/phase_clock.hpp"
#include "engine/cpu/update_loop.hpp"

namespace convoy::cpu {

CpuState::CpuState(const NetSpec& network, const InputSpec& input_spec, const ReplicaOptions& options)
    : spec(network),
      input(input_spec),
      table(network),
      threads(options.threads > 0 ? options.threads : concurrent_threads()),
      backing(options.backing),
      tuner(make_tuner_options(options)),
      parameters(table.size() * sizeof(float), backing),
      copies(backing) {}

CpuState::CpuState(const NetSpec& network, const InputSpec& input_spec, const ReplicaOptions& options,
                   OptimizerRule optimizer)
    : CpuState(network, input_spec, options) {
  const std::size_t bytes = table.size() * sizeof(float);
  gradients = AlignedBuffer(bytes, backing);
  for (int slot = 0; slot < slot_count(optimizer); ++slot) slots.emplace_back(bytes, backing);
}

void CpuState::use_threads() const {
  omp_set_num_threads(threads);
}

namespace {

void write_buffer(const AlignedBuffer& buffer, std::span<const float> values) {
  const std::span<float> target = buffer.as<float>();
  ensure(values.size() == target.size(), "a whole flat buffer is written");
  std::copy(values.begin(), values.end(), target.begin());
}

void read_buffer(const AlignedBuffer& buffer, std::span<float> values) {
  const std::span<const float> source = buffer.as<float>();
  ensure(values.size() == source.size(), "a whole flat buffer is read");
  std::copy(source.begin(), source.end(), values.begin());
}

// The part of Replica, for both kinds.
template <typename Kind>
class OnCpu : public Kind {
 public:
  template <typename... Optimizer>
  OnCpu(const NetSpec& spec, const InputSpec& input, const ReplicaOptions& options, Optimizer... optimizer)
      : state_(spec, input, options, optimizer...) {}

  const NetSpec& spec() const override { return state_.spec; }
  const ParameterTable& table() const override { return state_.table; }
  std::string_view device_name() const override { return "cpu"; }

  void write_parameters(std::span<const float> values) override {
    write_buffer(state_.parameters, values);
    ++state_.parameter_version;
  }
  void read_parameters(std::span<float> values) const override { read_buffer(state_.parameters, values); }

  std::unique_ptr<Program> compile(const ProgramOptions& options) override {
    auto program = std::make_unique<CpuProgram>(state_, options);
    state_.tuner.report();
    return program;
  }
  std::span<const Decision> tuning_decisions() const override { return state_.tuner.decisions(); }

  ReplicaMemory memory_use() const override {
    ReplicaMemory memory{.parameters = state_.parameters.size(),
                         .gradients = state_.gradients.size(),
                         .copies = state_.copies.bytes(),
                         .accumulation = state_.added_gradients.size()};
    for (const AlignedBuffer& slot : state_.slots) memory.slots += slot.size();
    return memory;
  }

 protected:
  CpuState state_;
};

class CpuTrainingReplica final : public OnCpu<TrainingReplica> {
 public:
  CpuTrainingReplica(const NetSpec& spec, const InputSpec& input, const ReplicaOptions& options,
                     const OptimizerSettings& optimizer)
      : OnCpu(spec, input, options, optimizer.rule), update_loop_(state_.table, optimizer) {}

  void write_gradients(std::span<const float> values) override { write_buffer(state_.gradients, values); }
  void read_gradients(std::span<float> values) const override { read_buffer(state_.gradients, values); }
  void write_slot(int slot, std::span<const float> values) override {
    write_buffer(slot_buffer(slot), values);
  }
  void read_slot(int slot, std::span<float> values) const override { read_buffer(slot_buffer(slot), values); }

  std::span<float> gradient_memory() override { return state_.gradients.as<float>(); }

  void enter(Phase phase) override { clock_.enter(phase); }

  void record_on(Timeline* timeline) override {
    state_.row = timeline != nullptr ? &timeline->row("steps") : nullptr;
  }

  void gradients_summed(std::size_t begin, std::size_t end, DeviceEvent /*sum*/) override {
    ensure(begin <= end && end <= state_.table.size(), "a range that was summed lies inside the gradients");
  }

  void stage_update(const UpdateStep& step) override {
    rates_.assign(step.rates.begin(), step.rates.end());
    staged_ = step;
    staged_.rates = rates_;
  }

  void apply_update() override {
    state_.use_threads();
    UpdateBuffers buffers{.parameters = state_.parameters.as<float>().data(),
                          .gradients = state_.gradients.as<float>().data()};
    for (std::size_t i = 0; i < state_.slots.size(); ++i)
      buffers.slots[i] = state_.slots[i].as<float>().data();
    const UpdateOutcome outcome = update_loop_.run(buffers, staged_);
    ++state_.parameter_version;
    StepResult result;
    result.update.finite = std::isfinite(outcome.squares);
    result.update.gradient_norm = std::sqrt(outcome.squares) * double{staged_.inverse_loss_scale};
    result.update.weights_sound = std::exchange(weights_sound_, outcome.sound);
    result.metrics = std::exchange(state_.step_metrics, {});
    result.seconds = clock_.take();
    results_.push_back(result);
  }

  StepResult take_result() override {
    ensure(!results_.empty(), "a result is taken after its update");
    const StepResult result = results_.front();
    results_.pop_front();
    return result;
  }

 private:
  const AlignedBuffer& slot_buffer(int slot) const {
    const auto index = static_cast<std::size_t>(slot);
    ensure(index < state_.slots.size(), "the optimiser has the slot that is asked for");
    return state_.slots[index];
  }

  UpdateLoop update_loop_;
  PhaseClock clock_;
  std::vector<TensorRate> rates_;
  UpdateStep staged_;  // its rates are rates_
  std::deque<StepResult> results_;
  bool weights_sound_ = true;  // those that the last update made
};

}  // namespace

std::unique_ptr<Replica> make_cpu_replica(const NetSpec& spec, const InputSpec& input,
                                          const ReplicaOptions& options) {
  return std::make_unique<OnCpu<Replica>>(spec, input, options);
}

std::unique_ptr<TrainingReplica> make_cpu_training_replica(const NetSpec& spec, const InputSpec& input,
                                                           const ReplicaOptions& options,
                                                           const TrainingOptions& training) {
  return std::make_unique<CpuTrainingReplica>(spec, input, options, training.optimizer);
}

std::string cpu_precision_refusal(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return {};
    case Precision::bf16:
      if (vector_instructions().avx512) return {};
      return fmt::format("--precision bf16 needs a CPU with AVX-512 or AMX; this one has {}: use fp32",
                         vector_instruction_names());
    case Precision::tf32:
      return "--precision tf32 is a format of GPUs: on the CPU use fp32 or bf16";
    case Precision::fp16:
      return "--precision fp16 is not computed by the CPU engine: use fp32 or bf16";
  }
  return "unknown precision";
}

}  // namespace convoy::cpu
