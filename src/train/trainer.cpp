#include "train/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/counted.hpp"
#include "base/host_name.hpp"
#include "comm/collective.hpp"
#include "comm/group_end.hpp"
#include "comm/watchdog.hpp"
#include "device/cpu/cpu_facts.hpp"
#include "settings/check.hpp"
#include "settings/configuration_text.hpp"
#include "train/agreement.hpp"
#include "train/batch_text.hpp"
#include "train/resolved_run.hpp"
#include "train/run_checkpoints.hpp"
#include "train/run_deadline.hpp"
#include "train/run_report.hpp"
#include "train/run_stage.hpp"
#include "train/starting_point.hpp"
#include "train/trace_window.hpp"
#include "train/training_loop.hpp"

namespace convoy {
namespace {

std::string versions_text(const Communicator& communicator, DeviceKind device) {
  std::string text;
  for (const auto& [name, version] : library_versions(communicator, device))
    text += fmt::format("{} {}\n", name, version);
  return text;
}

RunRecord describe(const ResolvedRun& run, Communicator& communicator, const Replica& replica,
                   const Collective* collective, const StartingPoint& start) {
  const TrainConfiguration& c = run.configuration;
  RunRecord record;
  record.attempt = start.attempt;
  record.step = start.state.step;
  record.logged_step = start.state.step - start.state.window.steps;
  record.last_step = run.length.last_step;
  record.steps_per_epoch = run.length.steps_per_epoch;
  record.epochs = run.length.total_epochs();
  record.model = c.model;
  record.device = replica.device_name();
  record.cpu = vector_instruction_names();
  record.parameters = static_cast<std::int64_t>(replica.table().count());
  record.batch = batch_text(c.global_batch, communicator.size(), c.accumulate);
  record.configuration = full_configuration_text(c);
  record.store_fingerprint = run.store.fingerprint;
  record.training_images = run.plan.images;
  record.validation_images = run.store.val ? run.store.val->images : 0;
  record.classes = static_cast<int>(run.classes.size());
  record.ranks = communicator.size();
  record.nodes = communicator.nodes();
  record.threads = run.threads.threads;
  record.communication_thread = run.threads.spare_core;
  record.hosts = communicator.gather_texts(host_name());
  record.devices = communicator.gather_texts(run.device.description);
  record.collective = collective != nullptr ? collective->name() : "none";
  record.versions = library_versions(communicator, run.device.kind);
  return record;
}

// What must be the same on all ranks. Nodes may have different folders on their own disks.
std::string common_configuration_text(const TrainConfiguration& configuration) {
  TrainConfiguration common = configuration;
  if (!common.stage.empty()) common.stage = "on each node's own disk";
  return full_configuration_text(common);
}

// One line for ranks on equal devices, else one for each.
void log_devices(const RunRecord& record, const Log& log) {
  const auto other = std::find_if(record.devices.begin(), record.devices.end(),
                                  [&](const std::string& device) { return device != record.devices[0]; });
  if (record.ranks == 1) {
    log.info("one rank, which computes on {}", record.devices[0]);
    return;
  }
  if (other == record.devices.end()) {
    log.info("every rank computes on {}; gradients are summed by {}", record.devices[0], record.collective);
    return;
  }
  for (std::size_t rank = 0; rank < record.devices.size(); ++rank)
    log.info("rank {} on {} computes on {}", rank, record.hosts[rank], record.devices[rank]);
  log.info("gradients are summed by {}", record.collective);
}

bool ends_with_the_run(ScheduleKind kind) {
  return kind == ScheduleKind::polynomial || kind == ScheduleKind::cosine;
}

// Remarks for the user about this start: options that it changes for a resumed run, and settings that hardly
// anyone intends.
std::vector<EventRecord> remarks_of(const ResolvedRun& run, const StartingPoint& start) {
  const ScheduleSettings& schedule = run.configuration.schedule;
  std::vector<EventRecord> remarks;
  for (const OptionDifference& change : start.changes.allowed)
    remarks.push_back({.step = start.state.step, .what = "option", .text = difference_text(change)});
  if (start.changes.other_length && ends_with_the_run(schedule.kind))
    remarks.push_back({.step = start.state.step,
                       .what = "option",
                       .text = fmt::format("the {} schedule ends at step {} now",
                                           word_of(schedule_words(), schedule.kind), run.length.last_step)});
  if (std::string text = batch_warning(run.plan); !text.empty())
    remarks.push_back({.step = start.state.step, .what = "warning", .text = std::move(text)});
  if (run.length.last_step > 0 && schedule.warmup_epochs > 0 &&
      schedule.warmup_epochs >= run.length.total_epochs())
    remarks.push_back(
        {.step = start.state.step,
         .what = "warning",
         .text = fmt::format("--warmup-epochs {}: the run ends after {}, before the rate has risen to --lr",
                             schedule.warmup_epochs, counted(run.length.total_epochs(), "epoch"))});
  return remarks;
}

void report_start(const ResolvedRun& run, const Log& log, const Replica& replica, const StartingPoint& start,
                  const RunRecord& record, RunReport& report, bool logs) {
  report.start(record);
  log_devices(record, log);
  const std::string from = start.resumed
                               ? fmt::format("resumed at step {} from {}", start.state.step, start.from)
                           : start.from.empty() ? std::string("started from initial weights")
                                                : "started from the weights of " + start.from;
  report.event(start.state.step, start.resumed ? "resume" : "start", from);
  log.info("{} ({} parameters, {} classes) on {}, {} an epoch; {}", run.configuration.model,
           replica.table().count(), run.classes.size(), counted(run.plan.images, "image"),
           counted(run.length.steps_per_epoch, "step"), from);
  for (const EventRecord& remark : remarks_of(run, start)) {
    if (logs) log.warn("{}{}", remark.what == "option" ? "the resumed run is changed: " : "", remark.text);
    report.event(remark.step, remark.what, remark.text);
  }
}

// Rank 0 measures algorithms while the others wait for its choice.
std::unique_ptr<TrainingReplica> make_replica(const ResolvedRun& run, Communicator& communicator,
                                              const Log& log, const std::atomic<bool>& stop_requested,
                                              Watchdog& watchdog) {
  const TrainConfiguration& c = run.configuration;
  const bool first = communicator.rank() == 0;
  ReplicaOptions options{.device = run.device.kind,
                         .device_index = run.device.index,
                         .threads = run.threads.threads,
                         .deterministic = run.deterministic,
                         .tune = c.tune,
                         .leads = first,
                         .should_stop = [&stop_requested] { return stop_requested.load(); },
                         .progress = [&watchdog] { watchdog.still_working(); },
                         .log = first ? &log : nullptr};
  if (communicator.size() > 1)
    options.agree = [&communicator](const std::string& mine) { return communicator.broadcast_text(mine); };
  if (run.length.last_step > 0) options.memory = open_tuning_memory(options);
  return make_training_replica(run.network, run.input, options,
                               {.optimizer = c.optimizer, .cuda_graph = c.cuda_graph, .log = options.log});
}

// Gradients are divided by the global batch where they arise, and many are below fp16's normal numbers
// (6e-5): on a wire of fp16 they travel 256 times as large, where the sum of all ranks may still reach 255.
// In fp16 the loss scale has made them large already.
float wire_scale(const TrainConfiguration& c) {
  return c.wire == WirePrecision::fp16 && c.precision != Precision::fp16 ? 256 : 1;
}

SumMarks marks_of(TrainingReplica& replica) {
  return [&replica](std::size_t number, std::size_t bytes, SumMark mark, DeviceStream stream) {
    replica.mark_sum(number, bytes, mark, stream);
  };
}

std::unique_ptr<Collective> make_collective(const ResolvedRun& run, Communicator& communicator,
                                            TrainingReplica& replica, Timeline* timeline) {
  const TrainConfiguration& c = run.configuration;
  const std::span<float> gradient = replica.gradient_memory();
  std::size_t largest = 0;
  for (const Bucket& bucket : plan_buckets(gradient.size(), bucket_bytes))
    largest = std::max(largest, bucket.end - bucket.begin);
  return make_collective(communicator, {.kind = c.collective,
                                        .wire = c.wire,
                                        .wire_scale = wire_scale(c),
                                        .spare_core = run.threads.spare_core,
                                        .deterministic = run.deterministic,
                                        .compute = replica.compute_stream(),
                                        .device_index = run.device.index,
                                        .gradient = gradient,
                                        .largest_slice = largest,
                                        .timeline = timeline,
                                        .mark_sums = timeline != nullptr ? marks_of(replica) : SumMarks()});
}

// On rank 0 of a run that has a deadline. Throws on every rank if it is past.
std::unique_ptr<RunDeadline> make_deadline(const TrainConfiguration& c, Communicator& communicator,
                                           std::size_t parameters, const Log& log,
                                           const StartupClock& startup, std::atomic<bool>& stop_requested) {
  std::unique_ptr<RunDeadline> made;
  if (c.deadline.kind == Deadline::Kind::none) return made;
  communicator.on_rank_zero([&] {
    double running_seconds = 0;
    for (const auto& [phase, seconds] : startup.phases()) running_seconds += seconds;
    const auto copies = 1 + static_cast<std::size_t>(slot_count(c.optimizer.rule));
    made = std::make_unique<RunDeadline>(c.deadline, running_seconds, copies * parameters * sizeof(float),
                                         log, stop_requested);
    return std::string();
  });
  return made;
}

// What --log-level debug tells about the start.
void log_details(const ResolvedRun& run, const RunRecord& record, const Log& log) {
  std::string configuration = full_configuration_text(run.configuration);
  while (configuration.ends_with('\n')) configuration.pop_back();
  log.debug("configuration:\n{}", configuration);
  log.debug("threads of each rank: {}{}", run.threads.threads,
            run.threads.spare_core ? ", and one that sums gradients" : "");
  for (const auto& [name, version] : record.versions) log.debug("{} {}", name, version);
}

// For an error in the middle of training; empty if it says itself how to go on, or is none of the
// surroundings.
std::string advice_after(const Error& error, const std::string& output) {
  const bool outside = error.category() == ExitCode::bad_data || error.category() == ExitCode::io ||
                       error.category() == ExitCode::device;
  const bool told = std::string_view(error.what()).find("--resume") != std::string_view::npos;
  return outside && !told ? resume_advice(output) : std::string();
}

// One run from its configuration to its result. Members are made in their order and end in the reverse: what
// is above outlives what uses it.
class TrainingRun {
 public:
  TrainingRun(const TrainConfiguration& configuration, Communicator& communicator, const Log& log,
              std::span<Observer* const> observers, std::atomic<bool>& stop_requested, StartupClock startup)
      : configuration_(configuration),
        communicator_(communicator),
        log_(log),
        observers_(observers),
        stop_requested_(stop_requested),
        startup_(std::move(startup)),
        watchdog_(communicator, log, configuration.watchdog_seconds),
        run_(resolve_run(configuration, communicator)) {}

  TrainingResult run() {
    agree();
    find_start();
    make_engine();
    make_surroundings();
    try {
      return train();
    } catch (...) {
      end_group(as_error(std::current_exception(), memory_advice));
      throw;
    }
  }

 private:
  bool trains() const { return start_.state.step < run_.length.last_step; }
  Timeline* timeline() { return timeline_ ? &*timeline_ : nullptr; }
  void started(const char* phase) { log_.debug("start: {} took {:.3f} s", phase, startup_.end_phase(phase)); }
  void agree();
  void find_start();
  void make_engine();
  void make_surroundings();
  TrainingResult train();
  void end_group(const Error& error);

  const TrainConfiguration& configuration_;
  Communicator& communicator_;
  const Log& log_;
  std::span<Observer* const> observers_;
  std::atomic<bool>& stop_requested_;
  StartupClock startup_;
  Watchdog watchdog_;
  const ResolvedRun run_;
  std::optional<Timeline> timeline_;  // outlives whatever records on it
  StartingPoint start_;
  std::optional<RunStage> stage_;           // outlives the loop, which reads its copies
  std::unique_ptr<Collective> collective_;  // ends after the replica, whose recorded steps hold it
  std::unique_ptr<TrainingReplica> replica_;
  std::unique_ptr<RunDeadline> deadline_;
  std::optional<Watchdog::Watch> watch_;
  std::optional<RunReport> report_;
  std::optional<TrainingLoop> loop_;
};

void TrainingRun::agree() {
  log_.info("global batch: {}",
            batch_text(configuration_.global_batch, communicator_.size(), configuration_.accumulate));
  require_same_text(communicator_, "set of libraries", versions_text(communicator_, run_.device.kind),
                    ExitCode::device);
  if (!configuration_.trace.empty()) timeline_.emplace().row("steps");  // the first in the trace
  started("store");
}

void TrainingRun::find_start() {
  start_ = prepare_start(run_, communicator_, log_);
  started("weights");
  if (configuration_.stage.empty() || !trains()) return;
  stage_.emplace(run_, communicator_, log_);
  started("stage");
}

void TrainingRun::make_engine() {
  replica_ = make_replica(run_, communicator_, log_, stop_requested_, watchdog_);
  started("replica");
  load_start(start_, run_, communicator_, *replica_);
  started("weights");
}

void TrainingRun::make_surroundings() {
  if (timeline_)
    communicator_.on_rank_zero([&] {
      prepare_trace_file(configuration_.trace);
      return std::string();
    });
  if (trains()) {
    deadline_ = make_deadline(configuration_, communicator_, replica_->table().size(), log_, startup_,
                              stop_requested_);
    collective_ = make_collective(run_, communicator_, *replica_, timeline());
  }
  report_.emplace(observers_, communicator_, log_, run_, start_.attempt, start_.state.step,
                  replica_->steps_ahead() > 0);
}

TrainingResult TrainingRun::train() {
  if (collective_) {
    watch_.emplace(watchdog_, *collective_);
    collective_->connect();
  }
  started("collective");
  const RunRecord record = describe(run_, communicator_, *replica_, collective_.get(), start_);
  report_start(run_, log_, *replica_, start_, record, *report_, communicator_.rank() == 0);
  log_details(run_, record, log_);
  loop_.emplace(TrainingParts{.run = run_,
                              .communicator = communicator_,
                              .log = log_,
                              .replica = *replica_,
                              .collective = collective_.get(),
                              .report = *report_,
                              .watchdog = watchdog_,
                              .stage = stage_ ? &*stage_ : nullptr,
                              .timeline = timeline(),
                              .deadline = deadline_.get(),
                              .startup = startup_,
                              .stop_requested = stop_requested_},
                start_.state);
  return loop_->run();
}

// Before this rank releases anything that the others wait for. Returns, or throws the error with advice, if
// all have failed.
void TrainingRun::end_group(const Error& error) {
  const std::string advice = loop_ ? advice_after(error, configuration_.output) : std::string();
  end_group_unless_all_failed(communicator_, log_, error, advice);
  if (communicator_.size() == 1 && !advice.empty())
    throw Error(error.category(), fmt::format("{}. {}", error.what(), advice));
}

}  // namespace

TrainingResult run_training(const TrainConfiguration& configuration, Communicator& communicator,
                            const Log& log, std::span<Observer* const> observers,
                            std::atomic<bool>& stop_requested, StartupClock startup) {
  require_same_text(communicator, "configuration", common_configuration_text(configuration), ExitCode::usage);
  check_configuration(configuration);
  return TrainingRun(configuration, communicator, log, observers, stop_requested, std::move(startup)).run();
}

}  // namespace convoy
