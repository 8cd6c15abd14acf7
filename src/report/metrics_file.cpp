#include "report/metrics_file.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/atomic_file.hpp"
#include "base/error.hpp"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

// A number for JSON, which does not support infinity and NaN.
Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool is_kept(const std::string& line, std::int64_t step, std::int64_t logged_step) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) return false;
  const std::int64_t at = json["step"];
  const auto kind = json.find("kind");
  return at <= step && (kind == json.end() || *kind != "step" || at <= logged_step);
}

}  // namespace

std::string kept_metrics(const std::string& text, std::int64_t step, std::int64_t logged_step) {
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (is_kept(line, step, logged_step)) kept += line + "\n";
  return kept;
}

MetricsFile::MetricsFile(const std::filesystem::path& folder, const Log& log)
    : path_(folder / "metrics.jsonl"), log_(log), lines_(path_, log) {}

void MetricsFile::on_start(const RunRecord& record) {
  try {
    std::error_code error;
    if (std::filesystem::exists(path_, error)) {
      const std::string before = read_text_file(path_);
      const std::string kept = kept_metrics(before, record.step, record.logged_step);
      if (kept != before) write_file_atomically(path_, kept);
    }
  } catch (const Error& error) {
    log_.warn("{}", error.what());
  }
}

void MetricsFile::on_step(const StepRecord& record) {
  Json line = {{"kind", "step"},
               {"step", record.step},
               {"epoch", record.epoch},
               {"samples", record.samples},
               {"loss", number(record.loss)},
               {"top1", record.top1},
               {"lr", record.rate},
               {"images_per_second", record.images_per_second},
               {"seconds",
                {{"input", record.input_seconds},
                 {"forward", record.forward_seconds},
                 {"backward", record.backward_seconds},
                 {"exposed", record.exposed_seconds},
                 {"update", record.update_seconds}}}};
  if (record.ranks)
    line["ranks"] = {{"least", record.ranks->least},
                     {"median", record.ranks->median},
                     {"most", record.ranks->most},
                     {"slowest", record.ranks->slowest},
                     {"host", record.ranks->host}};
  line["attempt"] = record.attempt;
  lines_.append(line_of(line));
}

void MetricsFile::on_validation(const ValidationRecord& record) {
  lines_.append(line_of({{"kind", "validation"},
                         {"step", record.step},
                         {"epoch", record.epoch},
                         {"samples", record.samples},
                         {"loss", number(record.loss)},
                         {"top1", record.top1},
                         {"top5", record.top5}}));
}

void MetricsFile::on_checkpoint(const CheckpointRecord& record) {
  lines_.append(line_of(
      {{"kind", "checkpoint"}, {"step", record.step}, {"path", record.path}, {"seconds", record.seconds}}));
}

void MetricsFile::on_event(const EventRecord& record) {
  lines_.append(
      line_of({{"kind", "event"}, {"step", record.step}, {"what", record.what}, {"text", record.text}}));
}

}  // namespace convoy
