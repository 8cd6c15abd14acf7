#include "train/training_loop.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/counted.hpp"
#include "train/agreement.hpp"
#include "train/start_messages.hpp"

namespace convoy {
namespace {

bool is_due(const Interval& interval, std::int64_t step, std::int64_t steps_per_epoch) {
  if (interval.count == 0) return false;
  return step % (interval.epochs ? interval.count * steps_per_epoch : interval.count) == 0;
}

ShardCopies* copies_of(RunStage* stage, const char* split) {
  return stage != nullptr ? stage->copies(split) : nullptr;
}

LoaderOptions loader_options(const ResolvedRun& run, const Communicator& communicator,
                             TrainingReplica& replica, std::int64_t step, Timeline* timeline,
                             ShardCopies* copies) {
  const TrainConfiguration& c = run.configuration;
  const std::int64_t steps_per_epoch = run.length.steps_per_epoch;
  LoaderOptions options;
  options.global_batch = c.global_batch;
  options.accumulate = c.accumulate;
  options.rank = communicator.rank();
  options.ranks = communicator.size();
  options.nodes = communicator.nodes();
  options.shuffle_by_node = c.shuffle_by_node;
  options.seed = c.seed;
  options.first_epoch = step / steps_per_epoch;
  options.first_sample = step % steps_per_epoch * c.global_batch;
  options.workers = c.workers;
  options.augmentation = run.augmentation;
  options.crop_side = run.input.crop_side;
  options.timeline = timeline;
  options.copies = copies;
  // A batch is read where it lies until its step's result was taken.
  options.held = c.accumulate * (1 + replica.steps_ahead()) - 1;
  options.memory = &replica.transfer_memory();
  return options;
}

}  // namespace

TrainingLoop::TrainingLoop(const TrainingParts& parts, const TrainingState& state)
    : parts_(parts),
      state_(state),
      checkpoints_(parts.run, parts.communicator, parts.replica, parts.log, parts.report, parts.deadline,
                   parts.timeline),
      trace_(parts.timeline, parts.run.configuration.trace_steps, state.step, parts.communicator,
             parts.replica, parts.report),
      validation_({.run = parts.run,
                   .communicator = parts.communicator,
                   .log = parts.log,
                   .replica = parts.replica,
                   .report = parts.report,
                   .watchdog = parts.watchdog,
                   .copies = copies_of(parts.stage, "val"),
                   .stop_requested = parts.stop_requested}),
      sums_(parts.communicator, parts.replica,
            parts.run.configuration.precision == Precision::fp16 ? Overflow::skips : Overflow::diverges,
            parts.stop_requested) {
  const ResolvedRun& run = parts_.run;
  if (state_.step >= run.length.last_step) return;
  program_ = parts_.replica.compile({.batch = run.plan.rows_at_most(),
                                     .mode = Mode::training,
                                     .precision = run.configuration.precision,
                                     .micro_batches = run.plan.accumulate});
  parts_.report.tuning(parts_.replica.tuning_decisions());
  for (const Decision& decision : parts_.replica.tuning_decisions())
    parts_.log.debug("{}", decision_text(decision));
  end_startup_phase("compiling");
  // What was measured on the way here was not disturbed by copying.
  if (parts_.stage != nullptr) parts_.stage->start();
  const LoaderOptions options = loader_options(run, parts_.communicator, parts_.replica, state_.step,
                                               parts_.timeline, copies_of(parts_.stage, "train"));
  loader_ = std::make_unique<Loader>(run.store, options);
  reducer_ = std::make_unique<GradientReducer>(*parts_.collective, parts_.replica,
                                               plan_buckets(parts_.replica.table().size(), bucket_bytes));
  log_step_plan(parts_.log, run, parts_.replica.table().size(), options);
  parts_.log.debug("{}", memory_text(parts_.replica.memory_use(), program_->memory_use()));
  end_startup_phase("input");
}

void TrainingLoop::end_startup_phase(const char* name) {
  parts_.log.debug("start: {} took {:.3f} s", name, parts_.startup.end_phase(name));
}

void TrainingLoop::report_ready() {
  if (ready_) return;
  ready_ = true;
  end_startup_phase("first step");
  parts_.log.info("{}", ready_text(parts_.startup));
  parts_.report.startup(parts_.startup.phases());
}

TrainingLoop::~TrainingLoop() {
  if (!unwind_.unwinding() || program_ == nullptr) return;
  try {
    parts_.collective->abort();
    parts_.replica.synchronise();
  } catch (const std::exception&) {  // the error that unwinds is the cause
  }
}

TrainingLoop::Due TrainingLoop::due_at(std::int64_t step) const {
  const TrainConfiguration& c = parts_.run.configuration;
  const std::int64_t steps_per_epoch = parts_.run.length.steps_per_epoch;
  return {.log = step % c.log_every == 0 || step == parts_.run.length.last_step,
          .evaluation = validation_.possible() && is_due(c.evaluate_every, step, steps_per_epoch),
          .checkpoint = is_due(c.checkpoint_every, step, steps_per_epoch),
          .histograms = is_due(c.histogram_every, step, steps_per_epoch),
          .trace_end = trace_.ends_with(step),
          .epoch_end = parts_.run.length.is_epoch_end(step),
          .last = step == parts_.run.length.last_step};
}

TrainingResult TrainingLoop::run() {
  TrainingResult result = train();
  trace_.finish(parts_.log);
  return result;
}

TrainingResult TrainingLoop::train() {
  require_same_parameters(parts_.communicator, parts_.replica, state_.step);
  parts_.report.moment(Moment::training_begins, state_.step);
  bool epoch_begins = true;
  // A stop may have come between a step and the validation due after it.
  const bool owed = state_.step > 0 && state_.step < parts_.run.length.last_step &&
                    due_at(state_.step).evaluation && state_.evaluated_step != state_.step;
  if (owed) {
    if (!validate()) return stop();
    if (validation_.take_best(state_)) checkpoints_.mark_best(state_.step);
  }
  while (state_.step < parts_.run.length.last_step) {
    if (epoch_begins) parts_.report.moment(Moment::epoch_begins, state_.step);
    trace_.before(state_.step + 1);
    step();
    if (std::optional<TrainingResult> result = after_step()) return *result;
    epoch_begins = parts_.run.length.is_epoch_end(state_.step);
  }
  return finish();
}

SchedulePoint TrainingLoop::schedule_point(std::int64_t step) const {
  return {.epoch = parts_.run.length.epoch_of(step),
          .total_epochs = parts_.run.length.total_epochs(),
          .plateau = state_.plateau,
          .factor = parts_.run.rate_factor};
}

double TrainingLoop::rate_of(std::int64_t step) const {
  return base_rate(parts_.run.configuration.schedule, schedule_point(step));
}

const BatchView& TrainingLoop::next_batch() {
  const TimelineScope scope(trace_.row(), "wait for input");
  return loader_->next();
}

// Returns the seconds it took.
double TrainingLoop::stage_input(std::int64_t samples) {
  const Stopwatch watch;
  for (int micro = 0; micro < parts_.run.plan.accumulate; ++micro) {
    parts_.watchdog.beat("input", state_.step);
    const BatchView& batch = next_batch();
    const TimelineScope scope(trace_.row(), "stage");
    program_->stage(micro, batch,
                    {.seed = parts_.run.configuration.seed,
                     .step = state_.step,
                     .gradient_scale = 1.0 / static_cast<double>(samples)});
  }
  return watch.seconds();
}

void TrainingLoop::stage_update() {
  const std::vector<TensorRate> rates =
      tensor_rates(parts_.replica.table(), parts_.run.configuration.schedule,
                   decay_of(parts_.run.configuration), schedule_point(state_.step));
  // In fp16 the replica itself counts the updates that were skipped.
  const bool counts = parts_.run.configuration.precision == Precision::fp16;
  parts_.replica.stage_update(
      {.number = state_.step + 1 - (counts ? 0 : state_.loss_scale.skipped), .rates = rates});
}

// Tells the watchdog, the replica and the trace of a phase around `work`. On a GPU the trace shows by this
// when the host enqueued it; when it ran is recorded by the replica.
template <typename Work>
void TrainingLoop::in_phase(Phase phase, Work&& work) {
  struct Names {
    const char *heartbeat, *on_cpu, *on_gpu;
  };
  constexpr Names names[] = {{"forward", "forward", "enqueue forward"},
                             {"backward", "backward", "enqueue backward"},
                             {"all-reduce", "exposed", "enqueue waiting for sums"},
                             {"update", "update", "enqueue update"}};
  const Names& name = names[static_cast<std::size_t>(phase)];
  parts_.watchdog.beat(name.heartbeat, state_.step);
  const TimelineScope scope(trace_.row(), on_gpu() ? name.on_gpu : name.on_cpu);
  parts_.replica.enter(phase);
  work();
}

// The passes of one step, always the same calls: a replica may record them once and replay them.
void TrainingLoop::enqueue_passes() {
  const int passes = parts_.run.plan.accumulate;
  reducer_->begin();
  for (int micro = 0; micro < passes; ++micro) {
    in_phase(Phase::forward, [&] { program_->forward_staged(micro); });
    in_phase(Phase::backward, [&] {
      program_->backward(micro > 0, [this, last = micro + 1 == passes](std::size_t end) {
        if (!last) return;
        const TimelineScope scope(trace_.row(), "start sums");
        reducer_->ready(end);
      });
    });
  }
  in_phase(Phase::exposed, [&] { reducer_->finish(); });
  in_phase(Phase::update, [&] { parts_.replica.apply_update(); });
}

void TrainingLoop::step() {
  const ResolvedRun& run = parts_.run;
  const std::int64_t samples = run.plan.samples_in_step(state_.step % run.length.steps_per_epoch);
  const Stopwatch watch;
  const TimelineScope scope(trace_.row(), "step", {{"step", state_.step + 1}});
  const double input_seconds = stage_input(samples);
  stage_update();
  {
    const TimelineScope enqueuing(on_gpu() ? trace_.row() : nullptr, "enqueue, or launch the recorded step");
    parts_.replica.run_step(*program_, parts_.collective->capturable(), [this] { enqueue_passes(); });
  }
  ++state_.step;
  parts_.watchdog.beat("device", state_.step);
  const TimelineScope taking(trace_.row(), "take results");
  sums_.enqueued(state_.step);
  parts_.report.add_step(watch.seconds(), input_seconds, samples);
  if (parts_.deadline != nullptr) parts_.deadline->step_took(watch.seconds());
  parts_.report.add_phases(sums_.take_seconds());
  report_ready();
}

// Acts upon the sums of steps that are `delay` steps old, or upon those of all steps so far.
void TrainingLoop::settle(bool all) {
  StepSums sums;
  if (!all) {
    while (sums_.pop(sums)) take(sums);
    return;
  }
  const Stopwatch watch;
  sums_.take_all();
  parts_.report.add_wait(watch.seconds());
  parts_.report.add_phases(sums_.take_seconds());
  while (sums_.pop_any(sums)) take(sums);
}

void TrainingLoop::take(const StepSums& sums) {
  state_.window.loss += sums.loss;
  state_.window.top1 += sums.top1;
  state_.window.samples += sums.samples;
  ++state_.window.steps;
  loss_scale_ = sums.loss_scale;
  if (parts_.run.configuration.precision == Precision::fp16) state_.window.loss_scale = loss_scale_;
  stop_agreed_ = stop_agreed_ || sums.stop;
  if (!sums.finite && diverged_step_ == 0) diverged_step_ = sums.step;
  if (sums.skipped && diverged_step_ == 0) report_overflow(sums);
}

void TrainingLoop::report_overflow(const StepSums& sums) {
  parts_.report.event(sums.step, "overflow",
                      fmt::format("a gradient overflowed fp16: step {} changed nothing, and the loss scale "
                                  "goes from {} to {}",
                                  sums.step, sums.loss_scale, std::max(sums.loss_scale / 2, 1.0)));
}

std::optional<TrainingResult> TrainingLoop::after_step() {
  const Due due = due_at(state_.step);
  {
    const TimelineScope scope(trace_.row(), "sum figures");
    settle(due.any());
    if (diverged_step_ == 0 && stop_agreed_) settle(true);
  }
  if (diverged_step_ > 0) return diverge();
  if (due.epoch_end || due.last) parts_.report.moment(Moment::epoch_ends, state_.step);
  if (due.log) {
    report_step(due.last);
  } else {
    parts_.report.progress(state_, rate_of(state_.step - 1));
  }
  if (due.histograms) parts_.report.weights(state_.step, parts_.replica, loss_scale_);
  if (due.last) return std::nullopt;
  report_rate_changes(state_.step);
  if (stop_agreed_) return stop();
  if (due.epoch_end || due.checkpoint || due.evaluation) {
    compare_replicas();
    if (weights_broke()) return diverge();
  }
  if (due.evaluation && !validate()) return stop();
  // The best validation is kept although no checkpoint is due, unless the run keeps only its end.
  const bool keeps_best = due.evaluation && parts_.run.configuration.checkpoint_every.count > 0 &&
                          is_better(validation_.top1(), state_.best_checkpoint_top1);
  if (due.checkpoint || keeps_best) {
    const bool best = validation_.take_best(state_);
    note_loss_scale();
    const TimelineScope scope(trace_.row(), "copy for a checkpoint");
    checkpoints_.save(state_, best);
  }
  checkpoints_.collect(false);
  return std::nullopt;
}

void TrainingLoop::report_step(bool last) {
  parts_.report.step(state_, rate_of(state_.step - 1));
  report_stage(false);
  // A run that ends between two records leaves its window open: continued, it logs what a longer run logs.
  if (!last || state_.step % parts_.run.configuration.log_every == 0) state_.window = {};
}

void TrainingLoop::report_stage(bool ends) {
  if (parts_.stage != nullptr) parts_.stage->report(state_.step, ends, parts_.report);
}

void TrainingLoop::report_rate_changes(std::int64_t step) {
  const ScheduleSettings& schedule = parts_.run.configuration.schedule;
  const bool by_epochs = schedule.kind == ScheduleKind::constant || schedule.kind == ScheduleKind::step;
  if (!by_epochs || parts_.run.length.epoch_of(step) <= schedule.warmup_epochs) return;
  const double before = rate_of(step - 1), now = rate_of(step);
  if (before == now) return;
  parts_.report.event(step, "rate", fmt::format("the learning rate goes from {:.6g} to {:.6g}", before, now));
}

// False when it was given up for a request to stop: a resumed run begins with it.
bool TrainingLoop::validate() {
  if (!validation_.run(state_, trace_.row())) return false;
  const ScheduleSettings& schedule = parts_.run.configuration.schedule;
  if (schedule.kind != ScheduleKind::plateau) return true;
  const double before = rate_of(state_.step);
  if (update_plateau(schedule, state_.plateau, parts_.run.length.epoch_of(state_.step),
                     1 - validation_.top1()))
    parts_.report.event(
        state_.step, "rate",
        fmt::format("the validation error stopped falling: the learning rate goes from {:.6g} to {:.6g}",
                    before, rate_of(state_.step)));
  return true;
}

void TrainingLoop::compare_replicas() {
  const TimelineScope scope(trace_.row(), "compare replicas");
  require_same_parameters(parts_.communicator, parts_.replica, state_.step);
}

// Checks the weights of the last update, which otherwise the next step would, before they are saved.
bool TrainingLoop::weights_broke() {
  if (has_sound_parameters(parts_.replica)) return false;
  diverged_step_ = state_.step;
  return true;
}

// Other precisions have no loss scale of their own, but may be a stretch in a run of fp16.
void TrainingLoop::note_loss_scale() {
  if (parts_.run.configuration.precision == Precision::fp16) state_.loss_scale = parts_.replica.loss_scale();
}

TrainingResult TrainingLoop::stop() {
  parts_.watchdog.beat("checkpoint", state_.step);
  compare_replicas();
  if (weights_broke()) return diverge();
  note_loss_scale();
  checkpoints_.save_now(state_, false);
  const std::string reason = parts_.communicator.on_rank_zero(
      [&] { return parts_.deadline != nullptr ? parts_.deadline->reason() : std::string(); });
  const std::string text =
      fmt::format("stopped {}at step {} of {}{}; a checkpoint is saved: resume with --resume auto",
                  reason.empty() ? "on request " : "", state_.step, parts_.run.length.last_step,
                  reason.empty() ? "" : ", " + reason);
  report_stage(true);
  parts_.report.event(state_.step, "stop", text);
  return {.code = ExitCode::stopped, .step = state_.step, .text = text};
}

TrainingResult TrainingLoop::diverge() {
  settle(true);  // nothing stays under way
  checkpoints_.collect(true);
  const std::string kept = parts_.communicator.on_rank_zero([&] {
    return checkpoints_.newest().empty() ? std::string("no checkpoint of this attempt was written before it")
                                         : "the last sound checkpoint is " + checkpoints_.newest().string();
  });
  const std::string text = fmt::format(
      "training diverged: at step {} the loss, a gradient or a weight is NaN, infinite or out of range "
      "(learning rate {:.6g}). Try a lower --lr, --warmup-epochs, or another --init; {}",
      diverged_step_, rate_of(diverged_step_ - 1), kept);
  report_stage(true);
  parts_.report.event(diverged_step_, "diverged", text);
  return {.code = ExitCode::diverged, .step = diverged_step_ - 1, .text = text};
}

TrainingResult TrainingLoop::finish() {
  compare_replicas();
  if (weights_broke()) return diverge();
  const TrainConfiguration& c = parts_.run.configuration;
  const bool validates = validation_.possible() && !c.evaluate_every.never;
  if (validates && state_.evaluated_step != state_.step && !validate()) return stop();
  std::string kept = c.output + " holds no checkpoint of its end (--checkpoint-every never)";
  if (c.checkpoint_every.never) {
    checkpoints_.collect(true);
  } else {
    const bool best = validation_.take_best(state_);
    parts_.watchdog.beat("checkpoint", state_.step);
    note_loss_scale();
    checkpoints_.save_now(state_, best);
    kept = c.output + " holds the checkpoints";
  }
  const std::string text = fmt::format("done: {}, {}; {}", counted(state_.step, "step"),
                                       counted(parts_.run.length.epoch_of(state_.step), "epoch"), kept);
  report_stage(true);
  parts_.report.event(state_.step, "done", text);
  return {.code = ExitCode::done, .step = state_.step, .text = text};
}

}  // namespace convoy
