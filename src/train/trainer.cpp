#include "train/trainer.hpp"

#include <fmt/format.h>

#include "base/host_name.hpp"
#include "comm/watchdog.hpp"
#include "device/cpu/cpu_facts.hpp"
#include "train/agreement.hpp"
#include "train/batch_text.hpp"
#include "train/run_report.hpp"
#include "train/run_setup.hpp"
#include "train/starting_point.hpp"
#include "train/training_loop.hpp"

namespace convoy {
namespace {

std::string versions_text(const Communicator& communicator) {
  std::string text;
  for (const auto& [name, version] : library_versions(communicator))
    text += fmt::format("{} {}\n", name, version);
  return text;
}

RunRecord describe(const RunSetup& setup, Communicator& communicator, const Replica& replica,
                   const StartingPoint& start) {
  const TrainConfiguration& c = setup.configuration;
  RunRecord record;
  record.attempt = start.attempt;
  record.step = start.state.step;
  record.logged_step = start.state.step - start.state.window.steps;
  record.last_step = setup.last_step;
  record.steps_per_epoch = setup.plan.steps_per_epoch();
  record.epochs = setup.epoch_of(setup.last_step);
  record.model = c.model;
  record.device = replica.device_name();
  record.cpu = vector_instruction_names();
  record.parameters = static_cast<std::int64_t>(replica.table().count());
  record.batch = batch_text(c.global_batch, communicator.size(), c.accumulate);
  record.configuration = full_configuration_text(c);
  record.store_fingerprint = setup.store.fingerprint;
  record.training_images = setup.plan.images;
  record.validation_images = setup.store.val ? setup.store.val->images : 0;
  record.classes = static_cast<int>(setup.classes.size());
  record.ranks = communicator.size();
  record.nodes = communicator.nodes();
  record.threads = setup.threads.threads;
  record.communication_thread = setup.threads.spare_core;
  record.hosts = communicator.gather_texts(host_name());
  record.versions = library_versions(communicator);
  return record;
}

void tell_start(const RunSetup& setup, Communicator& communicator, const Log& log, const Replica& replica,
                const StartingPoint& start, RunReport& report) {
  report.start(describe(setup, communicator, replica, start));
  const std::string from = start.resumed
                               ? fmt::format("resumed at step {} from {}", start.state.step, start.from)
                           : start.from.empty() ? std::string("started from initial weights")
                                                : "started from the weights of " + start.from;
  report.event(start.state.step, start.resumed ? "resume" : "start", from);
  log.info("{} ({} parameters, {} classes) on {} images, {} steps an epoch; {}", setup.configuration.model,
           replica.table().count(), setup.classes.size(), setup.plan.images, setup.plan.steps_per_epoch(),
           from);
  const ScheduleKind kind = setup.configuration.schedule.kind;
  if (setup.epoch_of(setup.last_step) > setup.configuration.epochs + 1e-9 &&
      (kind == ScheduleKind::polynomial || kind == ScheduleKind::cosine))
    log.warn(
        "--steps {} go beyond --epochs {}, where the schedule ends: the rate stays at its end value after it",
        setup.last_step, setup.configuration.epochs);
}

}  // namespace

TrainingResult run_training(const TrainConfiguration& configuration, Communicator& communicator,
                            const Log& log, std::span<Observer* const> observers,
                            const std::atomic<bool>& stop_requested) {
  require_same_text(communicator, "configuration", full_configuration_text(configuration), ExitCode::usage);
  check_configuration(configuration);
  const RunSetup setup = prepare_run(configuration, communicator);
  log.info("{}", batch_text(configuration.global_batch, communicator.size(), configuration.accumulate));
  require_same_text(communicator, "set of libraries", versions_text(communicator), ExitCode::device);
  StartingPoint start = prepare_start(setup, communicator, log);
  const std::unique_ptr<Replica> replica = make_replica(setup.network, setup.input,
                                                        {.device = configuration.device,
                                                         .threads = setup.threads.threads,
                                                         .optimizer = configuration.optimizer,
                                                         .for_training = true});
  load_start(start, setup, communicator, *replica);
  Watchdog watchdog(communicator, log, configuration.watchdog_seconds);
  RunReport report(observers, communicator, setup, start.attempt, start.state.step);
  tell_start(setup, communicator, log, *replica, start, report);
  TrainingLoop loop({.setup = setup,
                     .communicator = communicator,
                     .log = log,
                     .replica = *replica,
                     .report = report,
                     .watchdog = watchdog,
                     .stop_requested = stop_requested},
                    start.state);
  return loop.run();
}

}  // namespace convoy
