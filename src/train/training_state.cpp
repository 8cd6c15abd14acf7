#include "train/training_state.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace convoy {
namespace {

// JSON has no infinity and no NaN: null means "nothing yet".
nlohmann::ordered_json number_or_null(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

double number_or(const nlohmann::json& object, const char* key, double absent) {
  const nlohmann::json& value = object.at(key);
  return value.is_null() ? absent : value.get<double>();
}

}  // namespace

std::string state_to_json(const TrainingState& state) {
  nlohmann::ordered_json json;
  json["plateau"] = {{"best_error", number_or_null(state.plateau.best_error)},
                     {"since_epoch", state.plateau.since_epoch},
                     {"drops", state.plateau.drops}};
  json["window"] = {{"steps", state.window.steps},
                    {"samples", state.window.samples},
                    {"top1", state.window.top1},
                    {"loss", state.window.loss}};
  json["evaluated_step"] = state.evaluated_step;
  json["best_checkpoint_top1"] = number_or_null(state.best_checkpoint_top1);
  json["good_steps"] = state.loss_scale.good_steps;
  json["skipped_steps"] = state.loss_scale.skipped;
  return json.dump();
}

void state_from_json(const std::string& text, TrainingState& state) {
  if (text.empty()) return;
  try {
    const auto json = nlohmann::json::parse(text);
    const auto& plateau = json.at("plateau");
    state.plateau.best_error = number_or(plateau, "best_error", std::numeric_limits<double>::infinity());
    state.plateau.since_epoch = plateau.at("since_epoch").get<double>();
    state.plateau.drops = plateau.at("drops").get<int>();
    const auto& window = json.at("window");
    state.window.steps = window.at("steps").get<std::int64_t>();
    state.window.samples = window.at("samples").get<std::int64_t>();
    state.window.top1 = window.at("top1").get<std::int64_t>();
    state.window.loss = window.at("loss").get<double>();
    state.evaluated_step = json.at("evaluated_step").get<std::int64_t>();
    state.loss_scale.good_steps = json.value("good_steps", std::int64_t{0});  // absent in older files
    state.loss_scale.skipped = json.value("skipped_steps", std::int64_t{0});  // the same
    state.best_checkpoint_top1 =
        number_or(json, "best_checkpoint_top1", std::numeric_limits<double>::quiet_NaN());
  } catch (const nlohmann::json::exception& error) {
    fail(ExitCode::bad_data, "the checkpoint's schedule_state cannot be used: {}", error.what());
  }
}

}  // namespace convoy
