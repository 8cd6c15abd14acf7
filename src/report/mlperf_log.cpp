#include "report/mlperf_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "train/resolved_run.hpp"

namespace convoy {
namespace {

using Json = nlohmann::ordered_json;

// A file's path from the root of the sources.
std::string_view source_file(std::string_view path) {
  const auto root = path.rfind("/src/");
  return root == std::string_view::npos ? path : path.substr(root + 1);
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// With blanks behind colons and commas, which scripts that search such logs expect.
std::string object_text(const Json& object) {
  std::string text;
  for (const auto& [key, value] : object.items())
    text += fmt::format("{}\"{}\": {}", text.empty() ? "" : ", ", key, text_of(value));
  return "{" + text + "}";
}

const char* precision_name(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::tf32:
      return "tf32";
    case Precision::bf16:
      return "bfloat16";
    case Precision::fp16:
      return "fp16";
  }
  return "";
}

const char* wire_name(WirePrecision wire) {
  switch (wire) {
    case WirePrecision::fp32:
      return "fp32";
    case WirePrecision::bf16:
      return "bfloat16";
    case WirePrecision::fp16:
      return "fp16";
  }
  return "";
}

std::vector<std::pair<const char*, Json>> settings_of(const TrainConfiguration& c, const RunRecord& record) {
  std::vector<std::pair<const char*, Json>> settings{
      {"submission_benchmark", record.model},
      {"submission_division", "open"},
      {"submission_status", "research"},
      {"submission_platform",
       fmt::format("{} × {}", record.ranks, record.devices.empty() ? "" : record.devices[0])},
      {"seed", c.seed},
      {"global_batch_size", c.global_batch},
      {"micro_batch_size",
       std::max<std::int64_t>(1, c.global_batch / (std::int64_t{record.ranks} * c.accumulate))},
      {"gradient_accumulation_steps", c.accumulate},
      {"train_samples", record.training_images},
      {"eval_samples", record.validation_images},
      {"lowest_numerical_precision_in_linear", precision_name(c.precision)},
      {"lowest_numerical_precision_in_comm", wire_name(c.wire)},
      {"opt_name", optimizer_word(c.optimizer.rule)},
      {"opt_base_learning_rate", c.schedule.rate.first * linear_scaling_factor(c)},
      {"opt_learning_rate_decay_schedule", word_of(schedule_words(), c.schedule.kind)},
      {"opt_learning_rate_warmup_epochs", c.schedule.warmup_epochs},
      {"opt_weight_decay", c.weight_decay}};
  if (c.optimizer.rule == OptimizerRule::adam) {
    settings.emplace_back("opt_adam_beta_1", c.optimizer.beta1);
    settings.emplace_back("opt_adam_beta_2", c.optimizer.beta2);
    settings.emplace_back("opt_adam_epsilon", c.optimizer.epsilon);
  } else {
    settings.emplace_back("sgd_opt_momentum", c.optimizer.momentum);
  }
  return settings;
}

constexpr const char *interval_start = "INTERVAL_START", *interval_end = "INTERVAL_END",
                     *point_in_time = "POINT_IN_TIME";

}  // namespace

struct MlperfLog::Line {
  const char* type;
  const char* key;
  Json value = nullptr;
  Json metadata = Json::object();
  std::optional<double> time = std::nullopt;  // seconds since 1970; without: now
  // Where the line is made. (clang-tidy 14 knows no std::source_location.)
  const char* file = __builtin_FILE();
  int number = __builtin_LINE();
};

MlperfLog::MlperfLog(const TrainConfiguration& configuration, const Log& log)
    : configuration_(configuration), lines_(std::filesystem::path(configuration.output) / "mllog.txt", log) {}

MlperfLog::~MlperfLog() {
  end_run(step_, false);
}

void MlperfLog::write(const Line& line) {
  Json metadata = {{"file", source_file(line.file)}, {"lineno", line.number}};
  metadata.update(line.metadata);
  lines_.append(
      fmt::format(":::MLLOG {{\"namespace\": \"\", \"time_ms\": {}, \"event_type\": \"{}\", \"key\": \"{}\", "
                  "\"value\": {}, \"metadata\": {}}}\n",
                  std::llround(1000 * line.time.value_or(clock_.seconds())), line.type, line.key,
                  text_of(line.value), object_text(metadata)));
}

// Where in training a line belongs: epochs and samples so far.
nlohmann::ordered_json MlperfLog::place_of(std::int64_t step) const {
  const std::int64_t whole = step / steps_per_epoch_, rest = step % steps_per_epoch_;
  const Json epoch =
      rest == 0 ? Json(whole) : Json(static_cast<double>(step) / static_cast<double>(steps_per_epoch_));
  return {{"epoch_num", epoch},
          {"samples_count", whole * images_ + rest * configuration_.global_batch},
          {"step_num", step}};
}

void MlperfLog::on_start(const RunRecord& record) {
  steps_per_epoch_ = std::max<std::int64_t>(record.steps_per_epoch, 1);
  last_step_ = record.last_step;
  images_ = record.training_images;
  step_ = record.step;
  write({.type = interval_start, .key = "init_start", .time = created_});
  for (const auto& [key, value] : settings_of(configuration_, record))
    write({.type = point_in_time, .key = key, .value = value});
  if (record.step > 0) write({.type = point_in_time, .key = "init_checkpoint_step", .value = record.step});
}

void MlperfLog::on_moment(const MomentRecord& record) {
  step_ = record.step;
  const std::int64_t complete = record.step / steps_per_epoch_;  // epochs
  switch (record.moment) {
    case Moment::training_begins:
      write({.type = interval_end, .key = "init_stop"});
      write({.type = interval_start, .key = "run_start"});
      running_ = true;
      return;
    case Moment::epoch_begins:
      begin_block(record.step);
      write({.type = interval_start, .key = "epoch_start", .metadata = {{"epoch_num", complete + 1}}});
      return;
    case Moment::epoch_ends:
      write({.type = interval_end,
             .key = "epoch_stop",
             .metadata = {{"epoch_num", (record.step + steps_per_epoch_ - 1) / steps_per_epoch_}}});
      return;
    case Moment::validation_begins:
      end_block(record.step);
      write({.type = interval_start, .key = "eval_start", .metadata = place_of(record.step)});
      return;
  }
}

void MlperfLog::on_validation(const ValidationRecord& record) {
  step_ = record.step;
  write({.type = point_in_time,
         .key = "eval_accuracy",
         .value = record.top1,
         .metadata = place_of(record.step)});
  write({.type = interval_end, .key = "eval_stop", .metadata = place_of(record.step)});
  if (record.step < last_step_) begin_block(record.step);
}

void MlperfLog::on_event(const EventRecord& record) {
  step_ = record.step;
  if (record.what == "done") end_run(record.step, true);
  if (record.what == "stop" || record.what == "diverged") end_run(record.step, false);
}

// A block is the training between two validations.
void MlperfLog::begin_block(std::int64_t step) {
  if (std::exchange(in_block_, true)) return;
  block_ = step;
  const Interval& every = configuration_.evaluate_every;
  const std::int64_t steps =
      every.count == 0 ? last_step_ : every.count * (every.epochs ? steps_per_epoch_ : 1);
  const std::int64_t end = std::min(last_step_, every.count == 0 ? last_step_ : (step / steps + 1) * steps);
  write(
      {.type = interval_start,
       .key = "block_start",
       .metadata = {{"first_epoch_num", step / steps_per_epoch_ + 1},
                    {"epoch_count", static_cast<double>(end - step) / static_cast<double>(steps_per_epoch_)},
                    {"samples_count", place_of(step)["samples_count"]}}});
}

void MlperfLog::end_block(std::int64_t step) {
  if (!std::exchange(in_block_, false)) return;
  write({.type = interval_end,
         .key = "block_stop",
         .metadata = {{"first_epoch_num", block_ / steps_per_epoch_ + 1},
                      {"samples_count", place_of(step)["samples_count"]}}});
}

void MlperfLog::end_run(std::int64_t step, bool success) {
  if (!std::exchange(running_, false)) return;
  end_block(step);
  Json metadata = place_of(step);
  metadata["status"] = success ? "success" : "aborted";
  write({.type = interval_end, .key = "run_stop", .metadata = metadata});
}

}  // namespace convoy
