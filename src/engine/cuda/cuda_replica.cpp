#include <fmt/format.h>
#include <nvtx3/nvToolsExt.h>

#include <list>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "device/cuda/check.hpp"
#include "engine/cuda/cuda_entry.hpp"
#include "engine/cuda/cuda_program.hpp"
#include "engine/cuda/cuda_state.hpp"
#include "engine/cuda/result_ring.hpp"
#include "engine/cuda/step_graph.hpp"
#include "engine/cuda/step_program.hpp"
#include "engine/cuda/update_stage.hpp"

namespace convoy::cuda {

namespace {

// Empty when a GPU of this compute capability can compute in `precision`.
std::string refusal_of(int major, int minor, Precision precision) {
  const int capability = 10 * major + minor;
  const auto text = [&](const char* name, const char* needed, const char* instead) {
    return fmt::format(
        "--precision {} needs a GPU of compute capability {} or later; this one has {}.{}: use {}", name,
        needed, major, minor, instead);
  };
  switch (precision) {
    case Precision::fp32:
      return {};
    case Precision::tf32:
      return capability >= 80 ? "" : text("tf32", "8.0", "fp32");
    case Precision::bf16:
      return capability >= 80 ? "" : text("bf16", "8.0", capability >= 70 ? "fp16 or fp32" : "fp32");
    case Precision::fp16:
      return capability >= 70 ? "" : text("fp16", "7.0", "fp32");
  }
  return "unknown precision";
}

// A profiler's named range over the phases of a step as the host enqueues them.
class PhaseRange {
 public:
  ~PhaseRange() { end(); }
  void enter(Phase phase) {
    end();
    nvtxRangePushA(phase == Phase::forward    ? "forward"
                   : phase == Phase::backward ? "backward"
                   : phase == Phase::exposed  ? "wait for gradients"
                                              : "update");
    open_ = true;
  }
  void end() {
    if (std::exchange(open_, false)) nvtxRangePop();
  }

 private:
  bool open_ = false;
};

class StepRange {
 public:
  StepRange() { nvtxRangePushA("step"); }
  ~StepRange() { nvtxRangePop(); }
  StepRange(const StepRange&) = delete;
  StepRange& operator=(const StepRange&) = delete;
};

class CudaReplica final : public Replica {
 public:
  CudaReplica(const NetSpec& spec, const InputSpec& input, const ReplicaOptions& options)
      : state_(spec, input, options), transfer_memory_(options.device_index), graphs_(options) {
    if (options.for_training) update_stage_.emplace(state_.table, options.optimizer);
  }

  const NetSpec& spec() const override { return state_.spec; }
  const ParameterTable& table() const override { return state_.table; }
  std::string_view device_name() const override { return "cuda"; }

  void write(Slot slot, std::span<const float> values) override {
    state_.use_device();
    state_.write(buffer(slot), values);
  }
  void read(Slot slot, std::span<float> values) const override {
    state_.use_device();
    state_.read(buffer(slot), values);
  }

  std::span<float> gradient_memory() override { return buffer(Slot::gradients).elements<float>(); }
  DeviceStream compute_stream() const override { return {state_.compute.get()}; }
  std::pmr::memory_resource& transfer_memory() override { return transfer_memory_; }
  int steps_ahead() const override { return 2; }

  std::unique_ptr<Program> compile(const ProgramOptions& options) override;
  void run_step(Program& program, bool capturable, const std::function<void()>& enqueue) override;
  void enter(Phase phase) override;
  void inspect_gradients(std::size_t begin, std::size_t end) override;
  void stage_update(const UpdateStep& step) override;
  void apply_update() override;

  StepResult take_result() override {
    state_.use_device();
    return results_.take();
  }
  void synchronise() override {
    state_.use_device();
    state_.synchronise();
  }

  LossScale loss_scale() const override;
  void set_loss_scale(const LossScale& scale) override;

 private:
  const DeviceMemory& buffer(Slot slot) const;
  UpdateStage& update_stage();
  void choose_layout(Layout layout);
  void begin_loss_scaling();
  void write_loss_scale(const LossScale& scale);
  void inspect_waiting();
  void enqueue_update_kernels();
  void close_update();

  CudaState state_;
  PinnedResource transfer_memory_;
  ResultRing results_;
  std::optional<UpdateStage> update_stage_;  // of a training replica
  StepGraphs graphs_;
  StepTrace trace_;  // of the step that is being enqueued
  PhaseRange range_;
  bool in_step_ = false;  // inside run_step
  int place_ = 0;         // of the update that was staged last

  struct Compiled {
    std::weak_ptr<const int> program;
    Layout layout;
  };
  std::list<Compiled> compiled_;

  std::optional<LossScale> first_scale_;  // what set_loss_scale said before there was an fp16 program
  bool scales_loss_ = false;
};

const DeviceMemory& CudaReplica::buffer(Slot slot) const {
  const DeviceMemory& memory = slot == Slot::parameters   ? state_.parameters
                               : slot == Slot::gradients  ? state_.gradients
                               : slot == Slot::optimizer0 ? state_.slots[0]
                                                          : state_.slots[1];
  if (memory.size() == 0) {
    fail(ExitCode::bug, "flat buffer {} of a replica that has none was asked for", static_cast<int>(slot));
  }
  return memory;
}

UpdateStage& CudaReplica::update_stage() {
  ensure(update_stage_.has_value(), "only a replica for training is updated");
  return *update_stage_;
}

std::unique_ptr<Program> CudaReplica::compile(const ProgramOptions& options) {
  state_.use_device();
  const std::string refusal = refusal_of(state_.major, state_.minor, options.precision);
  if (!refusal.empty()) fail(ExitCode::usage, "{}", refusal);
  ensure(options.mode == Mode::evaluation || state_.options.for_training,
         "a training program belongs to a replica for training");
  const Layout layout = layout_of(options.precision);
  choose_layout(layout);
  // The update kernels write the copies too.
  if (state_.need_copy(element_of(options.precision))) graphs_.clear();
  if (options.mode == Mode::training && options.precision == Precision::fp16) begin_loss_scaling();
  std::unique_ptr<StepProgram> program =
      std::make_unique<CudaProgram>(state_.resources(options.precision), options);
  compiled_.push_back({program->presence(), layout});
  return program;
}

void CudaReplica::choose_layout(Layout layout) {
  std::erase_if(compiled_, [](const Compiled& compiled) { return compiled.program.expired(); });
  for (const Compiled& compiled : compiled_) {
    if (compiled.layout != layout) {
      fail(ExitCode::usage,
           "a replica on a GPU computes either in fp32 or in tf32, bf16 and fp16, which keep filters in "
           "another order: use one precision for training and validation");
    }
  }
  state_.use_layout(layout);
}

void CudaReplica::run_step(Program& program, bool capturable, const std::function<void()>& enqueue) {
  auto* const step_program = dynamic_cast<StepProgram*>(&program);
  ensure(step_program != nullptr, "a step runs with a program of its replica");
  state_.use_device();
  const StepRange range;
  step_program->begin_step();
  if (update_stage_) update_stage_->arrive(state_.compute.get());
  trace_ = {};
  in_step_ = true;
  try {
    graphs_.run({step_program->presence(), step_program->parity(), place_}, state_.compute.get(), capturable,
                trace_, enqueue);
  } catch (...) {
    in_step_ = false;
    range_.end();
    throw;
  }
  in_step_ = false;
  range_.end();
  step_program->end_step();
  if (trace_.applied) close_update();
}

void CudaReplica::enter(Phase phase) {
  range_.enter(phase);
  if (!results_.is_open()) return;  // no update was staged, so there is no result to carry times
  results_.mark(trace_.phases.size(), state_.compute.get(), graphs_.capturing());
  trace_.phases.push_back(phase);
}

void CudaReplica::inspect_gradients(std::size_t begin, std::size_t end) {
  ensure(begin <= end && end <= state_.table.size(), "an inspected range lies inside the gradients");
  // A bucket alone would leave most of the device idle: ranges that follow each other are looked at together.
  constexpr std::size_t enough = (std::size_t{64} << 20) / sizeof(float);
  if (trace_.inspect_end != begin) inspect_waiting();
  if (trace_.inspect_begin == trace_.inspect_end) trace_.inspect_begin = begin;
  trace_.inspect_end = end;
  if (end - trace_.inspect_begin >= enough) inspect_waiting();
}

void CudaReplica::inspect_waiting() {
  const std::size_t begin = std::exchange(trace_.inspect_begin, 0),
                    end = std::exchange(trace_.inspect_end, 0);
  if (begin < end)
    inspect(state_.compute.get(), buffer(Slot::gradients).as<float>(), begin, end, state_.block_sums);
}

void CudaReplica::stage_update(const UpdateStep& step) {
  UpdateStage& stage = update_stage();
  state_.use_device();
  place_ = results_.open(step.inverse_loss_scale);
  stage.stage(place_, step, state_.copy.get());
}

void CudaReplica::apply_update() {
  ensure(results_.is_open(), "an update is staged before it is applied");
  if (!in_step_) update_stage().arrive(state_.compute.get());
  inspect_waiting();
  enqueue_update_kernels();
  if (!trace_.phases.empty()) {
    results_.mark(trace_.phases.size(), state_.compute.get(), graphs_.capturing());
  }
  trace_.applied = true;
  range_.end();
  if (!in_step_) close_update();
}

void CudaReplica::enqueue_update_kernels() {
  const cudaStream_t stream = state_.compute.get();
  const UpdateStage& stage = update_stage();
  const std::size_t elements = state_.table.size();
  finish_inspection(stream, state_.block_sums, inspection_blocks(elements), state_.sums, state_.loss_scale,
                    stage.parameters(place_), state_.control, results_.records());
  UpdateArrays arrays{.parameters = state_.parameters.as<float>(), .gradients = state_.gradients.as<float>()};
  for (std::size_t i = 0; i < state_.slots.size(); ++i) arrays.slots[i] = state_.slots[i].as<float>();
  // The first 16-bit copy is written by the update; another one, which only tests have, behind it.
  std::optional<Element> further;
  for (const Element element : {Element::bfloat16, Element::float16}) {
    const DeviceMemory& copy = state_.copies[static_cast<std::size_t>(element)];
    if (copy.size() == 0) continue;
    if (arrays.copy != nullptr) {
      further = element;
    } else {
      arrays.copy = copy.data();
      arrays.copy_element = element;
    }
  }
  cuda::update(stream, state_.options.optimizer.rule, stage.pieces(), stage.piece_count(),
               stage.constants(place_), state_.control, arrays);
  if (further) {
    to_narrow(stream, arrays.parameters, state_.copies[static_cast<std::size_t>(*further)].data(), *further,
              elements);
  }
}

void CudaReplica::close_update() {
  results_.close(state_.compute.get(), std::exchange(trace_, {}));
}

LossScale CudaReplica::loss_scale() const {
  if (!scales_loss_) return first_scale_.value_or(LossScale{});
  state_.use_device();
  LossScaleState scale;
  check(
      cudaMemcpyAsync(&scale, state_.loss_scale, sizeof scale, cudaMemcpyDeviceToHost, state_.compute.get()),
      "reading the loss scale");
  state_.synchronise();
  return {.scale = double{scale.scale}, .good_steps = scale.good_steps, .skipped = scale.skipped};
}

void CudaReplica::set_loss_scale(const LossScale& scale) {
  first_scale_ = scale;
  if (scales_loss_) write_loss_scale(scale);
}

void CudaReplica::begin_loss_scaling() {
  if (scales_loss_) return;
  scales_loss_ = true;
  write_loss_scale(first_scale_.value_or(LossScale{.scale = LossScale::first}));
}

void CudaReplica::write_loss_scale(const LossScale& scale) {
  state_.use_device();
  const LossScaleState value{.scale = static_cast<float>(scale.scale),
                             .dynamic = 1,
                             .good_steps = scale.good_steps,
                             .skipped = scale.skipped};
  check(
      cudaMemcpyAsync(state_.loss_scale, &value, sizeof value, cudaMemcpyHostToDevice, state_.compute.get()),
      "setting the loss scale");
  state_.synchronise();
}

}  // namespace

extern "C" void convoy_make_cuda_replica(const NetSpec& spec, const InputSpec& input,
                                         const ReplicaOptions& options, std::unique_ptr<Replica>& result) {
  result = std::make_unique<CudaReplica>(spec, input, options);
}

extern "C" void convoy_cuda_precision_refusal(int major, int minor, Precision precision,
                                              std::string& refusal) {
  refusal = refusal_of(major, minor, precision);
}

}  // namespace convoy::cuda
