#include "report/run_file.hpp"

#include <fmt/format.h>

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

}  // namespace

std::string run_to_json(const RunRecord& record) {
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

void RunFile::on_start(const RunRecord& record) {
  try {
    std::error_code error;
    if (record.step > 0 && std::filesystem::exists(path_, error))
      for (const std::string& difference : run_differences(read_text_file(path_), record))
        log_.warn("the resumed run is not the same bit for bit: {}", difference);
    write_file_atomically(path_, run_to_json(record));
  } catch (const Error& error) {
    log_.warn("{}; the run goes on without it", error.what());
  }
}

}  // namespace convoy
