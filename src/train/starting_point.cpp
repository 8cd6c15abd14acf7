#include "train/starting_point.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/counted.hpp"
#include "base/message.hpp"
#include "base/text_list.hpp"
#include "checkpoint/choose_checkpoint.hpp"
#include "checkpoint/weights_file.hpp"
#include "model/initialise.hpp"
#include "settings/configuration_text.hpp"
#include "train/input_warnings.hpp"

namespace convoy {

// What rank 0 sends the others of a starting point: all except the lock and the buffers.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlateauState, best_error, since_epoch, drops)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainingWindow, steps, samples, top1, loss)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LossScale, scale, good_steps, skipped)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainingState, step, plateau, window, evaluated_step, best_top1,
                                   best_checkpoint_top1, loss_scale)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StartingPoint, resumed, attempt, from, state)

namespace {

ConfigurationDifferences differences_from(const ResolvedRun& run, const CheckpointHeader& header) {
  return compare_configurations(header.configuration, configuration_text(run.configuration),
                                header.epoch_samples > 0);
}

// "--classes 20 where the run has 10, …".
std::string refusal_text(const std::vector<OptionDifference>& refused) {
  std::vector<std::string> texts;
  texts.reserve(refused.size());
  for (const auto& [option, before, now] : refused)
    texts.push_back(fmt::format("--{} {} where the run has {}", option, now, before));
  return text_list(texts);
}

void check_resumable(const ResolvedRun& run, const std::filesystem::path& path,
                     const CheckpointHeader& header) {
  const int slots = slot_count(run.configuration.optimizer.rule);
  if (header.optimizer.empty())
    fail(ExitCode::usage, "{} holds weights alone, no state of training; start from it with --weights",
         path.string());
  if (header.store_fingerprint != run.store.fingerprint)
    fail(ExitCode::usage,
         "{} was trained on another store (fingerprint {}) than --data {} (fingerprint {}); to train on "
         "other data start a new run with --weights {}",
         path.string(), header.store_fingerprint, run.configuration.data, run.store.fingerprint,
         path.string());
  const ConfigurationDifferences differences = differences_from(run, header);
  if (!differences.refused.empty())
    fail(
        ExitCode::usage,
        "{}: a resumed run cannot change this; resume {} with the run's own options, or start a new run with "
        "--weights {}",
        refusal_text(differences.refused), path.string(), path.string());
  if (static_cast<int>(header.slots.size()) != slots)
    fail(ExitCode::bad_data, "{} holds {} optimiser slots where {} has {}", path.string(),
         header.slots.size(), header.optimizer, slots);
  const std::int64_t spe = run.length.steps_per_epoch;
  if (header.step != header.epoch * spe + header.epoch_samples / run.plan.global_batch)
    fail(ExitCode::bad_data, "{}: step {} is not epoch {} and {} samples at {} an epoch", path.string(),
         header.step, header.epoch, header.epoch_samples, counted(spe, "step"));
}

void load_checkpoint(const ResolvedRun& run, ChosenCheckpoint& chosen, const ParameterTable& table,
                     StartingPoint& start) {
  check_resumable(run, chosen.path(), chosen.header());
  start.changes = differences_from(run, chosen.header());
  Checkpoint checkpoint = chosen.take(table, run.configuration.model);
  start.resumed = true;
  start.from = chosen.path().string();
  start.state.step = checkpoint.header.step;
  start.state.best_top1 = checkpoint.header.best_top1;
  state_from_json(checkpoint.header.schedule_state, start.state);
  // A run that continues in fp16 from another precision starts with the first loss scale.
  if (configured_value(checkpoint.header.configuration, "precision") == "fp16")
    start.state.loss_scale.scale = checkpoint.header.loss_scale;
  start.parameters = std::move(checkpoint.parameters);
  start.slots = std::move(checkpoint.optimizer);
}

// Fine-tuning: layers of the same shape are taken, the others keep their initial weights and are named.
void load_weights(const ResolvedRun& run, const ParameterTable& table, const Log& log,
                  std::span<float> flat) {
  const std::string& path = run.configuration.weights;
  const WeightsFile file(path, run.configuration.model);
  for (const std::string& note : file.notes()) log.warn("--weights {}: {}", path, note);
  for (const std::string& warning : input_warnings(file.header(), run))
    log.warn("--weights {}: {}", path, warning);
  std::vector<std::string> renewed;
  std::size_t taken = 0;
  for (const Parameter& parameter : table.parameters()) {
    const std::optional<StoredTensor> stored = file.tensor(parameter);
    if (stored && stored->shape == parameter.shape) {
      std::copy(stored->values.begin(), stored->values.end(),
                flat.begin() + static_cast<std::ptrdiff_t>(parameter.offset));
      ++taken;
    } else {
      renewed.push_back(parameter.path());
    }
  }
  if (taken == 0)
    fail(ExitCode::usage, "--weights {}: no layer of it ({}) fits this network", path, file.header().model);
  std::reverse(renewed.begin(), renewed.end());
  if (renewed.empty()) {
    log.info("weights of all layers come from {}", path);
  } else {
    log.warn("{} of {} tensors come from {}; these keep initial weights, since their shapes differ: {}",
             taken, table.parameters().size(), path, text_list(renewed));
  }
}

// How long a killed run may take to release its output folder.
constexpr std::chrono::seconds lock_patience{10};

void find_start(const ResolvedRun& run, const Log& log, const ParameterTable& table, StartingPoint& start) {
  const TrainConfiguration& c = run.configuration;
  inspect_output_folder(c.output);  // refuses an unsuitable folder before the lock's file is created there
  // Before anything is taken from there: a run that is about to end still adds a checkpoint.
  std::error_code error;
  if (std::filesystem::is_directory(c.output, error)) start.lock = FolderLock(c.output, lock_patience);
  const OutputFolder folder = inspect_output_folder(c.output);
  const HeaderCheck check = [&](const std::filesystem::path& path, const CheckpointHeader& header) {
    check_resumable(run, path, header);
  };
  ChosenCheckpoint chosen = choose_checkpoint(c.resume, folder, table, check, log);
  if (!chosen.empty()) {
    load_checkpoint(run, chosen, table, start);
    // Another folder than the checkpoint's gets a `best` of its own, though the run has seen better.
    if (!std::filesystem::equivalent(chosen.path().parent_path(), folder.checkpoints, error))
      start.state.best_checkpoint_top1 = std::numeric_limits<double>::quiet_NaN();
  } else {
    start.parameters.resize(table.size());
    initialise_parameters(table, run.initialiser, c.seed, start.parameters);
    if (!c.weights.empty()) {
      load_weights(run, table, log, start.parameters);
      start.from = c.weights;
    }
  }
  start.attempt = folder.attempts + 1;
  create_output_folder(folder);
  if (start.lock.held()) return;
  start.lock = FolderLock(c.output, lock_patience);
  if (inspect_output_folder(c.output).attempts != folder.attempts)
    fail(ExitCode::usage, "--output {}: another run has started there in the meantime", c.output);
}

}  // namespace

StartingPoint prepare_start(const ResolvedRun& run, Communicator& communicator, const Log& log) {
  const ParameterTable table(run.network);
  StartingPoint start;
  const std::string shared = communicator.on_rank_zero([&] {
    find_start(run, log, table, start);
    return to_message(start);
  });
  return communicator.rank() == 0 ? std::move(start) : from_message<StartingPoint>(shared);
}

void load_start(StartingPoint& start, const ResolvedRun& run, Communicator& communicator,
                TrainingReplica& replica) {
  std::vector<float> buffer = std::move(start.parameters);
  buffer.resize(replica.table().size());
  communicator.broadcast(std::as_writable_bytes(std::span(buffer)));
  replica.write_parameters(buffer);
  const int slots = slot_count(run.configuration.optimizer.rule);
  for (int slot = 0; slot < slots; ++slot) {
    std::fill(buffer.begin(), buffer.end(), 0.0F);
    if (start.resumed) {
      if (communicator.rank() == 0) buffer = std::move(start.slots[static_cast<std::size_t>(slot)]);
      communicator.broadcast(std::as_writable_bytes(std::span(buffer)));
    }
    replica.write_slot(slot, buffer);
  }
  start.slots.clear();
  if (run.configuration.precision == Precision::fp16) replica.set_loss_scale(start.state.loss_scale);
}

}  // namespace convoy
