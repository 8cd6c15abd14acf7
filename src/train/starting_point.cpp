#include "train/starting_point.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <sstream>

#include "base/message.hpp"
#include "base/text_list.hpp"
#include "model/initialise.hpp"
#include "train/checkpoint.hpp"

namespace convoy {

// What rank 0 tells the others of a starting point: all but the lock and the buffers.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PlateauState, best_error, since_epoch, drops)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainingWindow, steps, samples, top1, loss)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LossScale, scale, good_steps, skipped)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainingState, step, plateau, window, evaluated_step, best_top1,
                                   best_checkpoint_top1, loss_scale)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StartingPoint, resumed, attempt, from, state)

namespace {

std::map<std::string, std::string> parse_lines(const std::string& text) {
  std::map<std::string, std::string> values;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (const std::size_t equals = line.find(" = "); equals != std::string::npos)
      values[line.substr(0, equals)] = line.substr(equals + 3);
  return values;
}

std::filesystem::path newest_in(const std::filesystem::path& checkpoints, const ParameterTable& table,
                                const Log& log) {
  const NewestCheckpoint newest = find_newest_checkpoint(checkpoints, table);
  for (const auto& [refused, reason] : newest.refused)
    log.warn("a checkpoint cannot be used, so the one before it is tried: {}", reason);
  if (newest.path.empty() && !newest.refused.empty())
    fail(ExitCode::bad_data,
         "{}: none of the {} checkpoints can be used; the newest: {}. To start a new run choose another "
         "--output",
         checkpoints.string(), newest.refused.size(), newest.refused.front().second);
  return newest.path;
}

// A checkpoint named by the user: a file, or the folder of a run (then its newest).
std::filesystem::path named_checkpoint(const RunSetup& setup, const OutputFolder& folder,
                                       const ParameterTable& table, const Log& log) {
  std::filesystem::path path = setup.configuration.resume;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    const std::filesystem::path inner = path / "checkpoints";
    const std::filesystem::path searched = std::filesystem::is_directory(inner, error) ? inner : path;
    path = newest_in(searched, table, log);
    if (path.empty())
      fail(ExitCode::usage, "--resume {}: no checkpoint is there", setup.configuration.resume);
  }
  if (!std::filesystem::exists(path, error))
    fail(ExitCode::usage, "--resume {}: there is no such file; auto takes the newest checkpoint of --output",
         setup.configuration.resume);
  path = std::filesystem::canonical(path);
  const bool inside = path.parent_path() == std::filesystem::weakly_canonical(folder.checkpoints);
  if (folder.holds_run && !inside)
    fail(ExitCode::usage,
         "--output {} holds another run than the checkpoint {}; choose another --output, or resume a "
         "checkpoint of "
         "that folder",
         folder.path.string(), path.string());
  if (inside)
    for (const auto& entry : std::filesystem::directory_iterator(folder.checkpoints))
      if (entry.path().filename().string().starts_with("step-") && entry.path().filename() > path.filename())
        log.warn(
            "{} is newer than the checkpoint resumed; --resume auto would take it: move it away if it is not "
            "wanted",
            entry.path().string());
  return path;
}

// The checkpoint to go on from; empty to start anew.
std::filesystem::path choose_checkpoint(const RunSetup& setup, const OutputFolder& folder,
                                        const ParameterTable& table, const Log& log) {
  const std::string& resume = setup.configuration.resume;
  if (resume == "auto") {
    if (!folder.holds_run) return {};
    std::filesystem::path path = newest_in(folder.checkpoints, table, log);
    if (path.empty()) log.warn("{} holds a run without a checkpoint: it starts anew", folder.path.string());
    return path;
  }
  if (resume != "none") return named_checkpoint(setup, folder, table, log);
  if (folder.holds_run)
    fail(ExitCode::usage,
         "--output {} holds a run already: go on with it by --resume auto, or choose another folder",
         folder.path.string());
  return {};
}

void check_resumable(const RunSetup& setup, const std::filesystem::path& path, const CheckpointHeader& header,
                     const Log& log) {
  const int slots = slot_count(setup.configuration.optimizer.rule);
  if (header.optimizer.empty())
    fail(ExitCode::usage, "{} holds weights alone, no state of training; start from it with --weights",
         path.string());
  if (header.store_fingerprint != setup.store.fingerprint)
    fail(ExitCode::usage,
         "{} was trained on another store (fingerprint {}) than --data {} (fingerprint {}); to go on with "
         "other data "
         "start a new run with --weights {}",
         path.string(), header.store_fingerprint, setup.configuration.data, setup.store.fingerprint,
         path.string());
  const ConfigurationDifferences differences = compare_configurations(
      header.configuration, configuration_text(setup.configuration), header.epoch_samples > 0);
  if (!differences.refused.empty())
    fail(ExitCode::usage,
         "{} cannot be resumed with different options ({}); start a new run with --weights {} instead",
         path.string(), text_list(differences.refused, "; "), path.string());
  for (const std::string& line : differences.allowed) log.warn("the resumed run is changed: {}", line);
  if (static_cast<int>(header.slots.size()) != slots)
    fail(ExitCode::bad_data, "{} holds {} optimiser slots where {} has {}", path.string(),
         header.slots.size(), header.optimizer, slots);
  const std::int64_t spe = setup.plan.steps_per_epoch();
  if (header.step != header.epoch * spe + header.epoch_samples / setup.plan.global_batch)
    fail(ExitCode::bad_data, "{}: step {} is not epoch {} and {} samples at {} steps an epoch", path.string(),
         header.step, header.epoch, header.epoch_samples, spe);
}

void load_checkpoint(const RunSetup& setup, const std::filesystem::path& path, const ParameterTable& table,
                     const Log& log, StartingPoint& start) {
  check_resumable(setup, path, read_checkpoint_header(path), log);
  Checkpoint checkpoint = read_checkpoint(path, table, setup.configuration.model);
  start.resumed = true;
  start.from = path.string();
  start.state.step = checkpoint.header.step;
  start.state.best_top1 = checkpoint.header.best_top1;
  state_from_json(checkpoint.header.schedule_state, start.state);
  // A run that goes on in fp16 from another precision finds its scale anew.
  const std::map<std::string, std::string> options = parse_lines(checkpoint.header.configuration);
  const auto precision = options.find("precision");
  if (precision != options.end() && precision->second == "fp16")
    start.state.loss_scale.scale = checkpoint.header.loss_scale;
  start.parameters = std::move(checkpoint.parameters);
  start.slots = std::move(checkpoint.optimizer);
}

// Fine-tuning: layers of the same shape are taken, the others keep their initial weights and are named.
void load_weights(const std::string& path, const ParameterTable& table, const Log& log,
                  std::span<float> flat) {
  const CheckpointHeader header = read_checkpoint_header(path);
  std::vector<std::string> renewed;
  std::size_t taken = 0;
  for (const Parameter& parameter : table.parameters()) {
    const std::optional<StoredTensor> stored = read_tensor(path, "/parameters/" + parameter.path());
    if (stored && stored->shape == parameter.shape) {
      std::copy(stored->values.begin(), stored->values.end(),
                flat.begin() + static_cast<std::ptrdiff_t>(parameter.offset));
      ++taken;
    } else {
      renewed.push_back(parameter.path());
    }
  }
  if (taken == 0)
    fail(ExitCode::usage, "--weights {}: no layer of it ({}) fits this network", path, header.model);
  std::reverse(renewed.begin(), renewed.end());
  if (renewed.empty()) {
    log.info("weights of all layers come from {}", path);
  } else {
    log.warn("{} of {} tensors come from {}; initialised anew, as their shapes differ: {}", taken,
             table.parameters().size(), path, text_list(renewed));
  }
}

// How long a run that was killed may take to let go of its output folder.
constexpr std::chrono::seconds lock_patience{10};

void find_start(const RunSetup& setup, const Log& log, const ParameterTable& table, StartingPoint& start) {
  const TrainConfiguration& c = setup.configuration;
  // Before anything is looked at: a run that is about to end still adds a checkpoint.
  std::error_code error;
  if (std::filesystem::is_directory(c.output, error)) start.lock = FolderLock(c.output, lock_patience);
  const OutputFolder folder = inspect_output_folder(c.output);
  const std::filesystem::path checkpoint = choose_checkpoint(setup, folder, table, log);
  if (!checkpoint.empty()) {
    load_checkpoint(setup, checkpoint, table, log, start);
    // Another folder than the checkpoint's gets a `best` of its own, though the run has seen better.
    if (!std::filesystem::equivalent(checkpoint.parent_path(), folder.checkpoints, error))
      start.state.best_checkpoint_top1 = std::numeric_limits<double>::quiet_NaN();
  } else {
    start.parameters.resize(table.size());
    initialise_parameters(table, setup.initialiser, c.seed, start.parameters);
    if (!c.weights.empty()) {
      load_weights(c.weights, table, log, start.parameters);
      start.from = c.weights;
    }
  }
  start.attempt = folder.attempts + 1;
  create_output_folder(folder);
  if (start.lock.held()) return;
  start.lock = FolderLock(c.output, lock_patience);
  if (inspect_output_folder(c.output).attempts != folder.attempts)
    fail(ExitCode::usage, "--output {}: another run has begun there meanwhile", c.output);
}

}  // namespace

ConfigurationDifferences compare_configurations(const std::string& before, const std::string& now,
                                                bool mid_epoch) {
  const std::map<std::string, std::string> old_values = parse_lines(before), new_values = parse_lines(now);
  std::map<std::string, std::string> keys = old_values;
  keys.insert(new_values.begin(), new_values.end());
  ConfigurationDifferences differences;
  for (const auto& [key, value] : keys) {
    const auto was = old_values.find(key), is = new_values.find(key);
    const std::string left = was == old_values.end() ? "default" : was->second;
    const std::string right = is == new_values.end() ? "default" : is->second;
    if (left == right) continue;
    const bool decides = key == "model" || key == "classes" || key == "global-batch" || key == "optimizer";
    const bool orders = mid_epoch && (key == "seed" || key == "shuffle");
    (decides || orders ? differences.refused : differences.allowed)
        .push_back(fmt::format("{}: {} → {}", key, left, right));
  }
  return differences;
}

StartingPoint prepare_start(const RunSetup& setup, Communicator& communicator, const Log& log) {
  const ParameterTable table(setup.network);
  StartingPoint start;
  const std::string shared = communicator.on_rank_zero([&] {
    find_start(setup, log, table, start);
    return to_message(start);
  });
  return communicator.rank() == 0 ? std::move(start) : from_message<StartingPoint>(shared);
}

void load_start(StartingPoint& start, const RunSetup& setup, Communicator& communicator, Replica& replica) {
  std::vector<float> buffer = std::move(start.parameters);
  buffer.resize(replica.table().size());
  communicator.broadcast(std::as_writable_bytes(std::span(buffer)));
  replica.write(Slot::parameters, buffer);
  const int slots = slot_count(setup.configuration.optimizer.rule);
  for (int slot = 0; slot < slots; ++slot) {
    std::fill(buffer.begin(), buffer.end(), 0.0F);
    if (start.resumed) {
      if (communicator.rank() == 0) buffer = std::move(start.slots[static_cast<std::size_t>(slot)]);
      communicator.broadcast(std::as_writable_bytes(std::span(buffer)));
    }
    replica.write(slot == 0 ? Slot::optimizer0 : Slot::optimizer1, buffer);
  }
  start.slots.clear();
  if (setup.configuration.precision == Precision::fp16) replica.set_loss_scale(start.state.loss_scale);
}

}  // namespace convoy
