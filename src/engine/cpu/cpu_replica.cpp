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

CpuState::CpuState(const NetSpec& network, const InputSpec& input_spec, const ReplicaOptions& replica_options)
    : spec(network), input(input_spec), table(network), options(replica_options) {
  threads = options.threads > 0 ? options.threads : usable_cores();
  const std::size_t bytes = table.size() * sizeof(float);
  parameters = AlignedBuffer(bytes);
  if (!options.for_training) return;
  gradients = AlignedBuffer(bytes);
  for (int slot = 0; slot < slot_count(options.optimizer.rule); ++slot) {
    slots[static_cast<std::size_t>(slot)] = AlignedBuffer(bytes);
  }
}

void CpuState::use_threads() const {
  omp_set_num_threads(threads);
}

namespace {

class CpuReplica final : public Replica {
 public:
  CpuReplica(const NetSpec& spec, const InputSpec& input, const ReplicaOptions& options)
      : state_(spec, input, options),
        update_loop_(state_.table, options.optimizer),
        gradient_squares_(state_.table.size()) {}

  const NetSpec& spec() const override { return state_.spec; }
  const ParameterTable& table() const override { return state_.table; }
  std::string_view device_name() const override { return "cpu"; }

  void write(Slot slot, std::span<const float> values) override {
    const std::span<float> target = buffer(slot);
    ensure(values.size() == target.size(), "a whole flat buffer is written");
    std::copy(values.begin(), values.end(), target.begin());
    if (slot == Slot::parameters) ++state_.parameter_version;
  }

  void read(Slot slot, std::span<float> values) const override {
    const std::span<float> source = buffer(slot);
    ensure(values.size() == source.size(), "a whole flat buffer is read");
    std::copy(source.begin(), source.end(), values.begin());
  }

  std::span<float> gradient_memory() override { return buffer(Slot::gradients); }

  std::unique_ptr<Program> compile(const ProgramOptions& options) override {
    return std::make_unique<CpuProgram>(state_, options);
  }

  void enter(Phase phase) override { clock_.enter(phase); }

  void inspect_gradients(std::size_t begin, std::size_t end) override {
    ensure(begin <= end && end <= state_.table.size(), "an inspected range lies inside the gradients");
    const PhaseClock::Aside aside(clock_);  // no waiting for communication, though it stands between waits
    state_.use_threads();
    gradient_squares_.add(buffer(Slot::gradients).data(), begin, end);
  }

  void stage_update(const UpdateStep& step) override {
    rates_.assign(step.rates.begin(), step.rates.end());
    staged_ = step;
    staged_.rates = rates_;
  }

  void apply_update() override {
    state_.use_threads();
    const double squares = gradient_squares_.take();
    StepResult result;
    result.update.finite = std::isfinite(squares);
    result.update.gradient_norm = std::sqrt(squares) * double{staged_.inverse_loss_scale};
    result.update.weights_sound = weights_sound_;
    if (result.update.finite) update_parameters();
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
  void update_parameters() {
    UpdateBuffers buffers{.parameters = buffer(Slot::parameters).data(),
                          .gradients = buffer(Slot::gradients).data()};
    for (std::size_t i = 0; i < state_.slots.size(); ++i)
      buffers.slots[i] = state_.slots[i].as<float>().data();
    weights_sound_ = update_loop_.run(buffers, staged_);
    ++state_.parameter_version;
  }

  std::span<float> buffer(Slot slot) const {
    const AlignedBuffer& memory = slot == Slot::parameters   ? state_.parameters
                                  : slot == Slot::gradients  ? state_.gradients
                                  : slot == Slot::optimizer0 ? state_.slots[0]
                                                             : state_.slots[1];
    if (memory.size() == 0) {
      fail(ExitCode::bug, "flat buffer {} of a replica that has none was asked for", static_cast<int>(slot));
    }
    return memory.as<float>();
  }

  CpuState state_;
  UpdateLoop update_loop_;
  SquareSum gradient_squares_;
  PhaseClock clock_;
  std::vector<TensorRate> rates_;
  UpdateStep staged_;  // its rates are rates_
  std::deque<StepResult> results_;
  bool weights_sound_ = true;  // those that the last update made
};

}  // namespace

std::unique_ptr<Replica> make_cpu_replica(const NetSpec& spec, const InputSpec& input,
                                          const ReplicaOptions& options) {
  return std::make_unique<CpuReplica>(spec, input, options);
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
