#include "report/page/page_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "report/page/prediction_data.hpp"
#include "report/page/run_series.hpp"
#include "report/page/run_state.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t most_events = 300;     // more are counted by kind
constexpr std::size_t most_decisions = 400;  // of the tuner
constexpr std::size_t most_trials = 12;      // of one decision

double at(const Columns& records, Column column, std::size_t row) {
  return records[column][row];
}

// run.json; null where there is none.
Json read_run_file(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return nullptr;
  // Writing values down again takes stack for each level, so deeper ones are left out.
  const auto shallow = [](int depth, Json::parse_event_t, const Json&) {
    constexpr int deepest = 32;
    return depth <= deepest;
  };
  Json json = Json::parse(read_text_file(path), shallow, false);
  if (!json.is_object())
    fail(ExitCode::bad_data,
         "{} is damaged: it is not JSON as a run writes it; remove it to see the metrics alone",
         path.string());
  return json;
}

// The options in which each attempt differs from the one before.
Json changes_between(const Json& before, const Json& now) {
  Json changes = Json::array();
  if (!before.is_object() || !now.is_object()) return changes;
  for (const auto& [option, value] : now.items())
    if (!before.contains(option) || before[option] != value)
      changes.push_back({{"option", option},
                         {"before", before.contains(option) ? before[option] : Json("unset")},
                         {"now", value}});
  for (const auto& [option, value] : before.items())
    if (!now.contains(option)) changes.push_back({{"option", option}, {"before", value}, {"now", "unset"}});
  return changes;
}

Json attempts_of(const Json& run, const Columns& steps) {
  Json attempts = Json::array();
  const Json listed = run.is_object() && run.contains("attempts") ? run["attempts"] : Json::array();
  const Json* before = nullptr;
  for (const Json& attempt : listed) {
    if (!attempt.is_object()) continue;
    Json one = {{"attempt", attempt.value("attempt", Json())},
                {"first_step", attempt.value("first_step", Json())},
                {"batch", attempt.value("batch", Json())},
                {"changes", Json::array()}};
    if (before != nullptr)
      one["changes"] =
          changes_between(before->value("configuration", Json()), attempt.value("configuration", Json()));
    attempts.push_back(std::move(one));
    before = &attempt;
  }
  if (!attempts.empty()) return attempts;
  // A run without the list: where the number of the attempt changes in the records.
  double last = std::nan("");
  for (std::size_t row = 0; row < steps.rows(); ++row) {
    const double number = at(steps, Column::attempt, row);
    if (std::isnan(number) || number == last) continue;
    const double first = row == 0 ? 0 : at(steps, Column::step, row - 1);
    attempts.push_back({{"attempt", json_number(number)}, {"first_step", json_number(first)}});
    last = number;
  }
  return attempts;
}

Json tuning_of(const Json& run) {
  Json tuning = Json::array();
  if (!run.is_object() || !run.contains("tuning") || !run["tuning"].is_array()) return tuning;
  for (const Json& decision : run["tuning"]) {
    if (!decision.is_object() || tuning.size() == most_decisions) continue;
    Json one = decision;
    if (Json& trials = one["trials"]; trials.is_array() && trials.size() > most_trials)
      trials.erase(trials.begin() + most_trials, trials.end());
    tuning.push_back(std::move(one));
  }
  return tuning;
}

// All events, or the first ones of each kind; the rest as a count by kind.
void add_events(const RunMetrics& metrics, Json& json) {
  std::map<std::string, std::size_t> of_kind;
  for (const TextRecord& event : metrics.events) ++of_kind[event.what];
  const std::size_t share = most_events / std::max<std::size_t>(of_kind.size(), 1);
  std::map<std::string, std::size_t> shown;
  Json& events = json["events"] = Json::array();
  for (const TextRecord& event : metrics.events) {
    if (metrics.events.size() > most_events && ++shown[event.what] > share) continue;
    events.push_back({{"step", event.step}, {"what", event.what}, {"text", event.text}});
  }
  Json& left_out = json["events_left_out"] = Json::object();
  for (const auto& [kind, count] : of_kind)
    if (metrics.events.size() > most_events && count > share) left_out[kind] = count - share;
}

void add_checkpoints(const RunMetrics& metrics, Json& json) {
  Json steps = Json::array();
  double seconds = 0;
  for (const TextRecord& checkpoint : metrics.checkpoints) {
    if (steps.size() < most_events) steps.push_back(checkpoint.step);
    if (std::isfinite(checkpoint.seconds)) seconds += checkpoint.seconds;
  }
  json["checkpoints"] = {
      {"count", metrics.checkpoints.size()}, {"steps", std::move(steps)}, {"seconds", seconds}};
  if (!metrics.checkpoints.empty()) json["checkpoints"]["last"] = metrics.checkpoints.back().what;
}

double median_of(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.empty()) return std::nan("");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// The validation with the best top-1, the first of equal ones.
Json best_validation(const Columns& validations) {
  Json best;
  double highest = -1;
  for (std::size_t row = 0; row < validations.rows(); ++row) {
    const double top1 = at(validations, Column::top1, row);
    if (!(top1 > highest)) continue;
    highest = top1;
    best = Json::object();
    for (const auto& [name, column] : {std::pair{"step", Column::step},
                                       {"epoch", Column::epoch},
                                       {"top1", Column::top1},
                                       {"top5", Column::top5},
                                       {"loss", Column::loss},
                                       {"samples", Column::samples}})
      best[name] = json_number(at(validations, column, row));
  }
  return best;
}

// Means of the phases over all steps, weighted by each record's number of steps as far as samples tell it.
Json mean_phases(const Columns& steps) {
  Json means = Json::object();
  for (const auto& [name, column] : {std::pair{"input", Column::input},
                                     {"forward", Column::forward},
                                     {"backward", Column::backward},
                                     {"exposed", Column::exposed},
                                     {"update", Column::update}}) {
    double sum = 0, weight = 0;
    for (std::size_t row = 0; row < steps.rows(); ++row) {
      const double value = at(steps, column, row), samples = at(steps, Column::samples, row);
      if (!std::isfinite(value) || !std::isfinite(samples)) continue;
      sum += value * samples;
      weight += samples;
    }
    if (weight > 0) means[name] = sum / weight;
  }
  return means;
}

// Ranks by how often they were the slowest of a record.
Json slowest_ranks(const RunMetrics& metrics) {
  std::map<int, std::int64_t> counts;
  for (const double rank : metrics.steps[Column::slowest])
    if (rank >= 0 && rank < 1e6) ++counts[static_cast<int>(rank)];
  std::vector<std::pair<int, std::int64_t>> order(counts.begin(), counts.end());
  std::ranges::stable_sort(order, std::ranges::greater{}, &std::pair<int, std::int64_t>::second);
  order.resize(std::min<std::size_t>(order.size(), 5));
  Json list = Json::array();
  for (const auto& [rank, count] : order) {
    const auto host = metrics.hosts.find(rank);
    list.push_back(
        {{"rank", rank}, {"host", host == metrics.hosts.end() ? "" : host->second}, {"records", count}});
  }
  return list;
}

void add_summary(const RunMetrics& metrics, Json& json) {
  const Columns& steps = metrics.steps;
  Json& last = json["last"] = Json::object();
  if (!steps.empty()) {
    const std::size_t row = steps.rows() - 1;
    for (const auto& [name, column] : {std::pair{"step", Column::step},
                                       {"epoch", Column::epoch},
                                       {"loss", Column::loss},
                                       {"top1", Column::top1},
                                       {"lr", Column::rate},
                                       {"images_per_second", Column::speed},
                                       {"attempt", Column::attempt}})
      last[name] = json_number(at(steps, column, row));
  }
  double seconds = 0;
  for (std::size_t row = 0; row < steps.rows(); ++row) {
    const double of_row = at(steps, Column::samples, row) / at(steps, Column::speed, row);
    if (std::isfinite(of_row)) seconds += of_row;
  }
  json["seconds"] = seconds;
  json["speed"] = json_number(median_of(steps[Column::speed]));
  json["best"] = best_validation(metrics.validations);
  json["phases"] = mean_phases(steps);
  json["slowest"] = slowest_ranks(metrics);
  json["records"] = {{"steps", steps.rows()}, {"validations", metrics.validations.rows()}};
}

void add_run_file(const Json& run, const Columns& steps, Json& json) {
  if (run.is_object())
    for (const char* key : {"model", "parameters", "batch", "epochs", "last_step", "steps_per_epoch",
                            "configuration", "store", "topology", "versions"})
      if (run.contains(key)) json[key] = run[key];
  json["attempts"] = attempts_of(run, steps);
  json["tuning"] = tuning_of(run);
}

}  // namespace

RunData read_run_data(const RunSource& source) {
  std::error_code error;
  const std::string shown = source.folder.string();
  if (!fs::is_directory(source.folder, error))
    fail(ExitCode::usage, "{}: there is no such folder; a report is of the output folder of a run", shown);
  const RunMetrics metrics = read_metrics(source.folder / "metrics.jsonl");
  const Json run = read_run_file(source.folder / "run.json");
  if (run.is_null() && metrics.steps.empty() && metrics.validations.empty() && metrics.events.empty())
    fail(
        ExitCode::usage,
        "{} holds no run: neither metrics.jsonl nor run.json has anything in it; pass the --output folder of "
        "convoy train",
        shown);
  RunData data;
  if (metrics.unreadable > 0)
    data.remarks.push_back(fmt::format("{} line(s) of metrics.jsonl could not be read", metrics.unreadable));
  const RunStanding standing = standing_of(metrics, source.folder);
  data.ended = standing.state == RunState::finished || standing.state == RunState::diverged;
  Json json = {{"name", source.name},
               {"folder", shown},
               {"state", word_of(run_state_words(), standing.state)},
               {"state_text", standing.text}};
  add_run_file(run, metrics.steps, json);
  add_summary(metrics, json);
  add_events(metrics, json);
  add_checkpoints(metrics, json);
  json["series"] = step_series(metrics.steps, source.columns);
  json["validation"] = validation_series(metrics.validations, source.columns);
  if (source.pictures) add_pictures(source, run, json, data.remarks);
  json["remarks"] = data.remarks;
  data.json = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return data;
}

}  // namespace convoy
