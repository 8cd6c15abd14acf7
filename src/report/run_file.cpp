#include "report/run_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "settings/key_values.hpp"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

// "key = value" lines as an object.
Json configuration_object(const std::string& text) {
  Json object = Json::object();
  for (const KeyValue& entry : written_key_values(text)) object[entry.key] = entry.value;
  return object;
}

// Seconds of each phase, and of all.
Json startup_object(const StartupPhases& phases) {
  Json object = Json::object();
  double total = 0;
  for (const auto& [name, seconds] : phases) {
    object[name] = seconds;
    total += seconds;
  }
  object["total"] = total;
  return object;
}

Json stage_object(const StageRecord& stage) {
  return {{"folder", stage.folder},
          {"nodes", stage.nodes},
          {"shards", stage.shards},
          {"bytes", stage.bytes},
          {"staged_shards", stage.staged_shards},
          {"staged_bytes", stage.staged_bytes},
          {"copied_bytes", stage.copied_bytes},
          {"rejected_copies", stage.rejected},
          {"seconds", stage.seconds},
          {"done", stage.done}};
}

// The configuration with which one attempt was started, from a run.json.
Json attempt_of(const Json& run) {
  Json attempt = Json::object();
  for (const char* key : {"attempt", "first_step", "last_step", "batch", "startup", "stage", "configuration"})
    if (run.contains(key)) attempt[key] = run[key];
  return attempt;
}

// The attempts in the text of a run.json; of an older version's file, its only one.
Json attempts_in(const std::string& text) {
  const Json run = Json::parse(text, nullptr, false);
  if (!run.is_object()) return Json::array();
  if (run.contains("attempts") && run["attempts"].is_array()) return run["attempts"];
  return Json::array({attempt_of(run)});
}

// Files of older versions have no list of attempts.
bool has_sound_attempts(const Json& run) {
  if (!run.contains("attempts")) return run.contains("configuration");
  const Json& attempts = run["attempts"];
  return attempts.is_array() &&
         std::ranges::all_of(attempts, [](const Json& attempt) { return attempt.is_object(); });
}

Json decision_object(const Decision& decision) {
  Json trials = Json::array();
  for (const Trial& trial : decision.trials)
    trials.push_back({{"name", trial.name},
                      {"milliseconds", trial.milliseconds},
                      {"outcome", word_of(trial_outcome_words(), trial.outcome)},
                      {"difference", trial.difference}});
  return {{"what", decision.what},
          {"key", decision.key},
          {"chosen", decision.chosen},
          {"source", word_of(decision_source_words(), decision.source)},
          {"trials", std::move(trials)}};
}

}  // namespace

std::string run_to_json(const RunRecord& record, const std::string& before) {
  Json json;
  json["format"] = "convoy-run";
  json["attempt"] = record.attempt;
  json["first_step"] = record.step;
  json["last_step"] = record.last_step;
  json["steps_per_epoch"] = record.steps_per_epoch;
  json["epochs"] = record.epochs;
  json["model"] = record.model;
  json["parameters"] = record.parameters;
  json["batch"] = record.batch;
  if (!record.startup.empty()) json["startup"] = startup_object(record.startup);
  if (record.stage) json["stage"] = stage_object(*record.stage);
  json["configuration"] = configuration_object(record.configuration);
  json["store"] = {{"fingerprint", record.store_fingerprint},
                   {"classes", record.classes},
                   {"training_images", record.training_images},
                   {"validation_images", record.validation_images}};
  json["topology"] = {{"ranks", record.ranks},
                      {"nodes", record.nodes},
                      {"threads_per_rank", record.threads},
                      {"communication_thread", record.communication_thread},
                      {"device", record.device},
                      {"devices", record.devices},
                      {"collective", record.collective},
                      {"cpu", record.cpu},
                      {"hosts", record.hosts}};
  Json& versions = json["versions"] = Json::object();
  for (const auto& [name, version] : record.versions) versions[name] = version;
  Json& tuning = json["tuning"] = Json::array();
  for (const Decision& decision : record.tuning) tuning.push_back(decision_object(decision));
  json["attempts"] = attempts_in(before);
  json["attempts"].push_back(attempt_of(json));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::vector<std::string> run_differences(const std::string& before, const RunRecord& record) {
  const Json old_run = Json::parse(before, nullptr, false);
  const Json new_run = Json::parse(run_to_json(record));
  std::vector<std::string> differences;
  if (!old_run.is_object()) return differences;
  const auto compare = [&](const char* group, const std::string& key) {
    const Json::json_pointer pointer(fmt::format("/{}/{}", group, key));
    if (!old_run.contains(pointer) || !new_run.contains(pointer) || old_run[pointer] == new_run[pointer])
      return;
    differences.push_back(fmt::format("{}: {} → {}", key, old_run[pointer].dump(), new_run[pointer].dump()));
  };
  for (const char* key : {"ranks", "nodes", "threads_per_rank", "device", "collective", "cpu"})
    compare("topology", key);
  for (const auto& [name, version] : record.versions) compare("versions", name);
  return differences;
}

RunFile::RunFile(const std::filesystem::path& folder, const Log& log)
    : path_(folder / "run.json"), log_(log) {}

std::string RunFile::read_before() const {
  std::error_code error;
  // A link that leads nowhere is an old file as well.
  if (!std::filesystem::exists(std::filesystem::symlink_status(path_, error))) return {};
  try {
    std::string text = read_text_file(path_);
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_object() && has_sound_attempts(json)) return text;
    log_.warn("{} is damaged: the earlier attempts in it are lost", path_.string());
  } catch (const Error& failure) {
    log_.warn("{}: the earlier attempts in it are lost", failure.what());
  }
  return {};
}

void RunFile::on_start(const RunRecord& record) {
  before_ = read_before();
  const std::string& before = before_;
  try {
    if (record.step > 0)
      for (const std::string& difference : run_differences(before, record))
        log_.warn("the resumed run is not bitwise identical: {}", difference);
    write_file_atomically(path_, run_to_json(record, before));
  } catch (const Error& error) {
    log_.warn("{}; the run continues without it", error.what());
  }
}

void RunFile::write_again(const RunRecord& record) {
  try {
    write_file_atomically(path_, run_to_json(record, before_));
  } catch (const Error& error) {
    log_.warn("{}; the run continues, and the file keeps what it says about its start", error.what());
  }
}

void RunFile::on_tuning(const RunRecord& record) {
  write_again(record);
}

void RunFile::on_startup(const RunRecord& record) {
  write_again(record);
}

void RunFile::on_stage(const RunRecord& record) {
  write_again(record);
}

}  // namespace convoy
