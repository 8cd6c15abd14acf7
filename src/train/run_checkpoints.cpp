#include "train/run_checkpoints.hpp"

#include <fmt/format.h>

#include <new>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint.hpp"
#include "settings/configuration_text.hpp"

namespace convoy {

std::string resume_advice(const std::filesystem::path& output) {
  std::vector<std::int64_t> steps;
  try {
    steps = list_checkpoints(output / "checkpoints");
  } catch (const Error&) {  // they cannot be seen, like the folder
  }
  return fmt::format("Remove the cause and start the run again with --resume auto: it goes on {}",
                     steps.empty() ? std::string("from the beginning, for there is no checkpoint")
                                   : fmt::format("from step {}", steps.back()));
}

RunCheckpoints::RunCheckpoints(const ResolvedRun& run, Communicator& communicator,
                               const TrainingReplica& replica, const Log& log, RunReport& report,
                               RunDeadline* deadline, Timeline* timeline)
    : run_(run),
      communicator_(communicator),
      replica_(replica),
      log_(log),
      report_(report),
      deadline_(deadline) {
  communicator.on_rank_zero([&] {
    writer_ =
        std::make_unique<BackgroundWriter>(std::filesystem::path(run.configuration.output) / "checkpoints",
                                           replica.table(), run.configuration.keep, timeline);
    return std::string();
  });
}

Checkpoint RunCheckpoints::snapshot(const TrainingState& state) const {
  const TrainConfiguration& c = run_.configuration;
  Checkpoint checkpoint;
  CheckpointHeader& header = checkpoint.header;
  header.model = c.model;
  header.step = state.step;
  header.epoch = state.step / run_.length.steps_per_epoch;
  header.epoch_samples = state.step % run_.length.steps_per_epoch * run_.plan.global_batch;
  header.configuration = configuration_text(c);
  header.store_fingerprint = run_.store.fingerprint;
  header.fit = run_.store.fit;
  header.schedule_state = state_to_json(state);
  header.loss_scale = c.precision == Precision::fp16 ? state.loss_scale.scale : 1;
  header.best_top1 = state.best_top1;
  header.input = run_.input;
  header.classes = run_.classes;
  header.optimizer = optimizer_word(c.optimizer.rule);
  const std::span<const std::string_view> slots = slot_names(c.optimizer.rule);
  header.slots.assign(slots.begin(), slots.end());
  checkpoint.parameters.resize(replica_.table().size());
  replica_.read_parameters(checkpoint.parameters);
  for (int slot = 0; slot < slot_count(c.optimizer.rule); ++slot) {
    checkpoint.optimizer.emplace_back(replica_.table().size());
    replica_.read_slot(slot, checkpoint.optimizer.back());
  }
  return checkpoint;
}

void RunCheckpoints::save(const TrainingState& state, bool best) {
  if (!writer_) return;
  const Stopwatch watch;
  collect(true);  // so that no two snapshots are in memory at once
  judge_wait(state.step, watch.seconds());
  try {
    const Stopwatch copying;
    Checkpoint checkpoint = snapshot(state);
    copy_seconds_ = copying.seconds();
    writer_->start(std::move(checkpoint), best);
    begun_evaluated_ = state.evaluated_step;
  } catch (const std::bad_alloc&) {
    warn_unwritten(state.step, "this node's memory has no room for a copy of the weights");
  }
}

// Writing that outlasts the steps between two checkpoints delays training; told once.
void RunCheckpoints::judge_wait(std::int64_t step, double waited) {
  constexpr double noticeable = 1, worth_telling = 0.05;  // seconds, and of the time between two checkpoints
  const double between = since_save_.restart();
  const bool first = std::exchange(first_save_, false);
  if (first || told_of_wait_ || waited < noticeable || waited < worth_telling * between) return;
  told_of_wait_ = true;
  warn(step, fmt::format(
                 "training waited {:.0f} s, of {:.0f} s since the last checkpoint began, until that one was "
                 "written: raise --checkpoint-every, or write to a faster disk",
                 waited, between));
}

void RunCheckpoints::save_now(const TrainingState& state, bool best) {
  communicator_.on_rank_zero([&] {
    collect(true);
    const bool there = written_step_ == state.step && begun_evaluated_ == state.evaluated_step;
    if (there) return std::string();
    writer_->start(snapshot(state), best);
    begun_evaluated_ = state.evaluated_step;
    for (const WrittenCheckpoint& written : writer_->finish()) {
      if (written.path.empty())
        fail(ExitCode::io, "the checkpoint of step {} could not be written: {}. {}", written.step,
             written.error, resume_advice(run_.configuration.output));
      report_written(written);
    }
    return std::string();
  });
}

void RunCheckpoints::report_written(const WrittenCheckpoint& written) {
  written_step_ = written.step;
  newest_ = written.path;
  if (deadline_ != nullptr) deadline_->checkpoint_took(copy_seconds_ + written.seconds);
  report_.checkpoint({.step = written.step, .path = written.path.string(), .seconds = written.seconds});
  if (!written.note.empty()) warn(written.step, written.note);
  if (!written.error.empty())
    warn(written.step, fmt::format("the checkpoint of step {} is written, but a later step failed: {}",
                                   written.step, written.error));
}

void RunCheckpoints::warn(std::int64_t step, const std::string& text) {
  log_.warn("{}", text);
  report_.event(step, "warning", text);
}

void RunCheckpoints::collect(bool wait) {
  if (!writer_) return;
  for (const WrittenCheckpoint& written : wait ? writer_->finish() : writer_->finished()) {
    if (!written.path.empty()) {
      report_written(written);
      continue;
    }
    warn_unwritten(written.step, written.error);
  }
}

void RunCheckpoints::warn_unwritten(std::int64_t step, const std::string& reason) {
  warn(step, fmt::format("the checkpoint of step {} could not be written ({}); training continues and "
                         "tries again at the next one",
                         step, reason));
}

void RunCheckpoints::mark_best(std::int64_t step) {
  if (writer_) writer_->mark_best(step);
}

}  // namespace convoy
