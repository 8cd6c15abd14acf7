#include <nvtx3/nvToolsExt.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "device/cuda/check.hpp"
#include "engine/cuda/cuda_entry.hpp"
#include "engine/cuda/cuda_replica.hpp"
#include "engine/cuda/profiler_range.hpp"
#include "engine/cuda/result_ring.hpp"
#include "engine/cuda/step_graph.hpp"
#include "engine/cuda/update_stage.hpp"

namespace convoy::cuda {

namespace {

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

class CudaTrainingReplica final : public OnGpu<TrainingReplica> {
 public:
  CudaTrainingReplica(const NetSpec& spec, const InputSpec& input, const ReplicaOptions& options,
                      const TrainingOptions& training)
      : OnGpu(spec, input, options, training.optimizer.rule),
        rule_(training.optimizer.rule),
        early_elements_(training.early_elements),
        update_stage_(state_.table, training.optimizer),
        graphs_(training, options.agree),
        forked_(make_event()),
        joined_(make_event()) {
    state_.parameters_free = [this](std::size_t end) { parameters_free(end); };
  }

  void write_gradients(std::span<const float> values) override { write(state_.gradients, values); }
  void read_gradients(std::span<float> values) const override { read(state_.gradients, values); }
  void write_slot(int slot, std::span<const float> values) override { write(slot_buffer(slot), values); }
  void read_slot(int slot, std::span<float> values) const override { read(slot_buffer(slot), values); }

  std::span<float> gradient_memory() override { return state_.gradients.elements<float>(); }
  DeviceStream compute_stream() const override { return {state_.compute.get()}; }
  int steps_ahead() const override { return 2; }

  std::unique_ptr<Program> compile(const ProgramOptions& options) override;
  void run_step(Program& program, bool capturable, const std::function<void()>& enqueue) override;
  void enter(Phase phase) override;
  void gradients_summed(std::size_t begin, std::size_t end, DeviceEvent sum) override;
  bool updates_early() const override {
    return !scales_loss_ && early_elements_ != TrainingOptions::updates_at_once;
  }
  void stage_update(const UpdateStep& step) override;
  void apply_update() override;
  void record_on(Timeline* timeline) override;
  void mark_sum(std::size_t number, std::size_t bytes, SumMark mark, DeviceStream stream) override;

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
  const DeviceMemory& slot_buffer(int slot) const;
  void begin_loss_scaling();
  void write_loss_scale(const LossScale& scale);
  void parameters_free(std::size_t end);
  void update_early();
  void enqueue_update(cudaStream_t stream, int end);
  void finish_inspection(double* sums, std::size_t count, bool updated);
  void inspect(std::size_t begin, std::size_t end);
  void inspect_waiting();
  void enqueue_further_copy();
  UpdateArrays update_arrays() const;
  void close_update();

  OptimizerRule rule_;
  std::size_t early_elements_;  // TrainingOptions'
  ResultRing results_;
  UpdateStage update_stage_;
  StepGraphs graphs_;
  Event forked_, joined_;
  StepTrace trace_;  // of the step that is being enqueued
  PhaseRange range_;
  bool in_step_ = false;  // inside run_step
  int place_ = 0;         // of the update that was staged last

  std::optional<LossScale> first_scale_;  // what set_loss_scale said before there was an fp16 program
  bool scales_loss_ = false;
};

const DeviceMemory& CudaTrainingReplica::slot_buffer(int slot) const {
  const auto index = static_cast<std::size_t>(slot);
  ensure(index < state_.slots.size(), "the optimiser has the slot that is asked for");
  return state_.slots[index];
}

std::unique_ptr<Program> CudaTrainingReplica::compile(const ProgramOptions& options) {
  state_.use_device();
  if (compiler_.prepare(options)) graphs_.clear();  // the update kernels write the copies too
  if (options.mode == Mode::training && options.precision == Precision::fp16) begin_loss_scaling();
  return compiler_.compile(options);
}

void CudaTrainingReplica::run_step(Program& program, bool capturable, const std::function<void()>& enqueue) {
  auto* const step_program = dynamic_cast<StepProgram*>(&program);
  ensure(step_program != nullptr, "a step runs with a program of its replica");
  state_.use_device();
  const ProfilerRange range("step");
  step_program->begin_step();
  update_stage_.arrive(state_.compute.get());
  trace_ = {};
  in_step_ = true;
  try {
    graphs_.run({step_program->lifetime(), step_program->parity(), place_}, state_.compute.get(), capturable,
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

void CudaTrainingReplica::enter(Phase phase) {
  range_.enter(phase);
  if (!results_.is_open()) return;  // no update was staged, so there is no result to carry times
  results_.mark(trace_.phases.size(), state_.compute.get(), graphs_.capturing());
  trace_.phases.push_back(phase);
}

void CudaTrainingReplica::record_on(Timeline* timeline) {
  state_.use_device();
  const bool before = results_.records_steps();
  results_.record_on(timeline, state_.compute.get());
  if (before != results_.records_steps()) graphs_.clear();  // which have the marks of sums or not
}

void CudaTrainingReplica::mark_sum(std::size_t number, std::size_t bytes, SumMark mark, DeviceStream stream) {
  if (!results_.records_steps() || !results_.is_open()) return;
  if (mark == SumMark::ready) trace_.sums.push_back(bytes);
  ensure(trace_.sums.size() == number + 1, "sums are marked in the order of their numbers");
  results_.mark_sum(number, mark, static_cast<cudaStream_t>(stream.native), graphs_.capturing());
}

void CudaTrainingReplica::gradients_summed(std::size_t begin, std::size_t end, DeviceEvent sum) {
  ensure(begin <= end && end <= state_.table.size(), "a range that was summed lies inside the gradients");
  if (scales_loss_) return inspect(begin, end);
  if (!in_step_) return;  // apply_update looks at everything
  ensure(begin == trace_.summed_end, "ranges that were summed follow each other");
  trace_.summed_end = end;
  trace_.sum = static_cast<cudaEvent_t>(sum.native);
  update_early();
}

void CudaTrainingReplica::parameters_free(std::size_t end) {
  trace_.free_end = end;
  // What the last operation leaves is apply_update's, which comes next.
  if (end < state_.table.size()) update_early();
}

// Updates on a stream beside the passes, where so much is ready that it is worth a launch.
void CudaTrainingReplica::update_early() {
  if (!in_step_ || !updates_early() || !results_.is_open()) return;
  const std::size_t end = std::min(trace_.summed_end, trace_.free_end);
  if (end < trace_.updated_end || end - trace_.updated_end < early_elements_) return;
  const int pieces = update_stage_.pieces_before(end);
  if (pieces == trace_.pieces_done) return;
  const cudaStream_t stream = state_.update.get();
  follow(stream, state_.compute.get(), forked_.get());
  trace_.forked = true;
  if (trace_.sum != nullptr)
    check(cudaStreamWaitEvent(stream, trace_.sum, 0), "letting an update wait for a sum");
  enqueue_update(stream, pieces);
  trace_.updated_end = end;
}

// Of the pieces before `end` that were not enqueued yet, with their sums of squares.
void CudaTrainingReplica::enqueue_update(cudaStream_t stream, int end) {
  const int begin = std::exchange(trace_.pieces_done, end);
  cuda::update(stream, rule_, update_stage_.pieces() + begin, end - begin, update_stage_.constants(place_),
               state_.control, update_arrays(), update_stage_.squares() + begin);
}

void CudaTrainingReplica::inspect(std::size_t begin, std::size_t end) {
  // A bucket alone would leave most of the device idle: ranges that follow each other are looked at together.
  constexpr std::size_t enough = (std::size_t{64} << 20) / sizeof(float);
  if (trace_.inspect_end != begin) inspect_waiting();
  if (trace_.inspect_begin == trace_.inspect_end) trace_.inspect_begin = begin;
  trace_.inspect_end = end;
  if (end - trace_.inspect_begin >= enough) inspect_waiting();
}

void CudaTrainingReplica::inspect_waiting() {
  const std::size_t begin = std::exchange(trace_.inspect_begin, 0),
                    end = std::exchange(trace_.inspect_end, 0);
  if (begin < end)
    cuda::inspect(state_.compute.get(), state_.gradients.as<float>(), begin, end, state_.block_sums);
}

void CudaTrainingReplica::stage_update(const UpdateStep& step) {
  state_.use_device();
  place_ = results_.open(step.inverse_loss_scale);
  update_stage_.stage(place_, step, state_.copy.get());
}

void CudaTrainingReplica::apply_update() {
  ensure(results_.is_open(), "an update is staged before it is applied");
  if (!in_step_) update_stage_.arrive(state_.compute.get());
  const cudaStream_t stream = state_.compute.get();
  if (scales_loss_) {
    // The loss scale decides first whether there is an update.
    inspect_waiting();
    finish_inspection(state_.block_sums, inspection_blocks(state_.table.size()), false);
    cuda::update(stream, rule_, update_stage_.pieces(), update_stage_.piece_count(),
                 update_stage_.constants(place_), state_.control, update_arrays());
  } else {
    enqueue_update(stream, update_stage_.piece_count());
    if (trace_.forked) follow(stream, state_.update.get(), joined_.get());
    finish_inspection(update_stage_.squares(), static_cast<std::size_t>(update_stage_.piece_count()), true);
  }
  enqueue_further_copy();
  if (!trace_.phases.empty()) {
    results_.mark(trace_.phases.size(), state_.compute.get(), graphs_.capturing());
  }
  trace_.applied = true;
  range_.end();
  if (!in_step_) close_update();
}

void CudaTrainingReplica::finish_inspection(double* sums, std::size_t count, bool updated) {
  cuda::finish_inspection(state_.compute.get(), sums, count, state_.sums, state_.loss_scale,
                          update_stage_.parameters(place_), state_.control, results_.records(), updated);
}

// With the first 16-bit copy, which the update writes.
UpdateArrays CudaTrainingReplica::update_arrays() const {
  UpdateArrays arrays{.parameters = state_.parameters.as<float>(), .gradients = state_.gradients.as<float>()};
  for (std::size_t i = 0; i < state_.slots.size(); ++i) arrays.slots[i] = state_.slots[i].as<float>();
  for (const Element element : {Element::float16, Element::bfloat16}) {
    const DeviceMemory& copy = state_.copies[static_cast<std::size_t>(element)];
    if (copy.size() == 0) continue;
    arrays.copy = copy.data();
    arrays.copy_element = element;
  }
  return arrays;
}

// Another 16-bit copy, which only tests have, is written behind the update.
void CudaTrainingReplica::enqueue_further_copy() {
  const UpdateArrays arrays = update_arrays();
  for (const Element element : {Element::bfloat16, Element::float16}) {
    const DeviceMemory& copy = state_.copies[static_cast<std::size_t>(element)];
    if (copy.size() == 0 || copy.data() == arrays.copy) continue;
    to_narrow(state_.compute.get(), arrays.parameters, copy.data(), element, state_.table.size());
  }
}

void CudaTrainingReplica::close_update() {
  results_.close(state_.compute.get(), std::exchange(trace_, {}));
}

LossScale CudaTrainingReplica::loss_scale() const {
  if (!scales_loss_) return first_scale_.value_or(LossScale{});
  state_.use_device();
  LossScaleState scale;
  check(
      cudaMemcpyAsync(&scale, state_.loss_scale, sizeof scale, cudaMemcpyDeviceToHost, state_.compute.get()),
      "reading the loss scale");
  state_.synchronise();
  return {.scale = double{scale.scale}, .good_steps = scale.good_steps, .skipped = scale.skipped};
}

void CudaTrainingReplica::set_loss_scale(const LossScale& scale) {
  first_scale_ = scale;
  if (scales_loss_) write_loss_scale(scale);
}

void CudaTrainingReplica::begin_loss_scaling() {
  if (scales_loss_) return;
  scales_loss_ = true;
  write_loss_scale(first_scale_.value_or(LossScale{.scale = LossScale::first}));
}

void CudaTrainingReplica::write_loss_scale(const LossScale& scale) {
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

extern "C" void convoy_make_cuda_training_replica(const NetSpec& spec, const InputSpec& input,
                                                  const ReplicaOptions& options,
                                                  const TrainingOptions& training,
                                                  std::unique_ptr<TrainingReplica>& result) {
  result = std::make_unique<CudaTrainingReplica>(spec, input, options, training);
}

}  // namespace convoy::cuda
