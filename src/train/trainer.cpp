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

}  // namespace

TrainingResult run_training(const TrainConfiguration& configuration, Communicator& communicator,
                            const Log& log, std::span<Observer* const> observers,
                            std::atomic<bool>& stop_requested, StartupClock startup) {
  const auto started = [&](const char* phase) {
    log.debug("start: {} took {:.3f} s", phase, startup.end_phase(phase));
  };
  require_same_text(communicator, "configuration", common_configuration_text(configuration), ExitCode::usage);
  check_configuration(configuration);
  Watchdog watchdog(communicator, log, configuration.watchdog_seconds);
  const ResolvedRun run = resolve_run(configuration, communicator);
  log.info("global batch: {}",
           batch_text(configuration.global_batch, communicator.size(), configuration.accumulate));
  require_same_text(communicator, "set of libraries", versions_text(communicator, run.device.kind),
                    ExitCode::device);
  std::optional<Timeline> timeline;                                   // outlives whatever records on it
  if (!configuration.trace.empty()) timeline.emplace().row("steps");  // the first in the trace
  Timeline* const traced = timeline ? &*timeline : nullptr;
  started("store");
  StartingPoint start = prepare_start(run, communicator, log);
  started("weights");
  std::optional<RunStage> stage;  // outlives the loop, which reads its copies
  if (!configuration.stage.empty() && start.state.step < run.length.last_step) {
    stage.emplace(run, communicator, log);
    started("stage");
  }
  std::unique_ptr<Collective> collective;  // ends after the replica, whose recorded steps hold it
  const std::unique_ptr<TrainingReplica> replica =
      make_replica(run, communicator, log, stop_requested, watchdog);
  started("replica");
  load_start(start, run, communicator, *replica);
  started("weights");
  if (traced != nullptr)
    communicator.on_rank_zero([&] {
      prepare_trace_file(configuration.trace);
      return std::string();
    });
  const bool trains = start.state.step < run.length.last_step;
  const std::unique_ptr<RunDeadline> deadline =
      make_deadline(configuration, communicator, replica->table().size(), log, startup, stop_requested);
  if (trains) collective = make_collective(run, communicator, *replica, traced);
  std::optional<Watchdog::Watch> watch;
  RunReport report(observers, communicator, log, run, start.attempt, start.state.step,
                   replica->steps_ahead() > 0);
  std::optional<TrainingLoop> loop;
  try {
    if (trains) {
      watch.emplace(watchdog, *collective);
      collective->connect();
    }
    started("collective");
    const RunRecord record = describe(run, communicator, *replica, collective.get(), start);
    report_start(run, log, *replica, start, record, report, communicator.rank() == 0);
    log_details(run, record, log);
    loop.emplace(TrainingParts{.run = run,
                               .communicator = communicator,
                               .log = log,
                               .replica = *replica,
                               .collective = collective.get(),
                               .report = report,
                               .watchdog = watchdog,
                               .stage = stage ? &*stage : nullptr,
                               .timeline = traced,
                               .deadline = deadline.get(),
                               .startup = startup,
                               .stop_requested = stop_requested},
                 start.state);
    return loop->run();
  } catch (...) {
    // Before this rank releases anything that the others wait for.
    const Error error = as_error(std::current_exception(), memory_advice);
    const std::string advice = loop ? advice_after(error, configuration.output) : std::string();
    end_group_unless_all_failed(communicator, log, error, advice);
    if (communicator.size() > 1 || advice.empty()) throw;
    throw Error(error.category(), fmt::format("{}. {}", error.what(), advice));
  }
}

}  // namespace convoy
