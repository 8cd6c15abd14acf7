#include "report/run_file.hpp"

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/atomic_file.hpp"
#include "base/error.hpp"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

// "key = value" lines as an object.
Json configuration_object(const std::string& text) {
  Json object = Json::object();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (const std::size_t equals = line.find(" = "); equals != std::string::npos)
      object[line.substr(0, equals)] = line.substr(equals + 3);
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
                      {"hosts", record.hosts}};
  Json& versions = json["versions"] = Json::object();
  for (const auto& [name, version] : record.versions) versions[name] = version;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

RunFile::RunFile(std::filesystem::path folder, const Log& log)
    : path_(std::move(folder) / "run.json"), log_(log) {}

void RunFile::on_start(const RunRecord& record) {
  try {
    write_file_atomically(path_, run_to_json(record));
  } catch (const Error& error) {
    log_.warn("{}; the run goes on without it", error.what());
  }
}

}  // namespace convoy
