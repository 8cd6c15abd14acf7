#include "train/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "base/error.hpp"
#include "base/text_list.hpp"

namespace convoy {

bool update_plateau(const ScheduleSettings& settings, PlateauState& state, double epoch, double error) {
  // Errors are counts over a split, so a fall by exactly the threshold must not depend on rounding.
  constexpr double rounding = 1e-12;
  if (error <= state.best_error - settings.plateau_threshold + rounding) {
    state.best_error = error;
    state.since_epoch = epoch;
    return false;
  }
  if (epoch - state.since_epoch < settings.patience || state.drops >= settings.drops) return false;
  ++state.drops;
  state.since_epoch = epoch;
  return true;
}

double rate_at(const DatedRate& rate, double epoch) {
  double value = rate.first;
  for (const auto& [from, later] : rate.later)
    if (epoch >= from) value = later;
  return value;
}

double warmup_factor(const ScheduleSettings& settings, double epoch) {
  if (epoch >= settings.warmup_epochs) return 1;
  return settings.warmup_start + (1 - settings.warmup_start) * epoch / settings.warmup_epochs;
}

double base_rate(const ScheduleSettings& settings, const SchedulePoint& point) {
  const double rate = rate_at(settings.rate, point.epoch);
  const double done = point.total_epochs > 0 ? std::clamp(point.epoch / point.total_epochs, 0.0, 1.0) : 1.0;
  double scheduled = rate;
  switch (settings.kind) {
    case ScheduleKind::constant:
      break;
    case ScheduleKind::step:
      scheduled = rate * std::pow(settings.step_factor, std::floor(point.epoch / settings.step_epochs));
      break;
    case ScheduleKind::plateau:
      scheduled = rate * std::pow(settings.plateau_factor, point.plateau.drops);
      break;
    case ScheduleKind::polynomial:
      scheduled = settings.end_rate + (rate - settings.end_rate) * std::pow(1 - done, settings.power);
      break;
    case ScheduleKind::cosine:
      scheduled =
          settings.end_rate + (rate - settings.end_rate) * (1 + std::cos(std::numbers::pi * done)) / 2;
      break;
  }
  return scheduled * warmup_factor(settings, point.epoch) * point.factor;
}

const RateRule* rule_for(const std::map<std::string, RateRule>& rules, const Parameter& parameter) {
  const std::string kind = parameter.kind == ParameterKind::weight ? "weight" : "bias";
  for (const std::string& key : {parameter.layer + "." + kind, parameter.layer, kind})
    if (const auto found = rules.find(key); found != rules.end()) return &found->second;
  return nullptr;
}

void check_rate_rules(const std::map<std::string, RateRule>& rules, const ParameterTable& table) {
  std::set<std::string> keys = {"weight", "bias"};
  std::vector<std::string> layers;
  for (const Parameter& parameter : table.parameters()) {
    if (keys.insert(parameter.layer).second) layers.push_back(parameter.layer);
    keys.insert(parameter.layer + (parameter.kind == ParameterKind::weight ? ".weight" : ".bias"));
  }
  std::reverse(layers.begin(), layers.end());
  for (const auto& [key, rule] : rules)
    if (!keys.contains(key))
      fail(ExitCode::usage,
           "lr.{}: the network has no such layer or kind; a rate can be set for the kinds weight and bias, "
           "for the "
           "layers {}, or for both as in {}.bias",
           key, text_list(layers), layers.front());
}

std::vector<TensorRate> tensor_rates(const ParameterTable& table, const TrainConfiguration& configuration,
                                     const SchedulePoint& point) {
  const ScheduleSettings& schedule = configuration.schedule;
  const double base = base_rate(schedule, point);
  const double own_factor = warmup_factor(schedule, point.epoch) * point.factor;
  std::vector<TensorRate> rates;
  rates.reserve(table.parameters().size());
  for (const Parameter& parameter : table.parameters()) {
    double rate = base;
    if (const RateRule* rule = rule_for(schedule.rules, parameter)) {
      if (rule->own) rate = rate_at(*rule->own, point.epoch) * own_factor;
      if (rule->factor) rate *= *rule->factor;
    }
    const bool bias = parameter.kind == ParameterKind::bias;
    const double decay =
        bias ? configuration.bias_decay.value_or(configuration.weight_decay) : configuration.weight_decay;
    rates.push_back({static_cast<float>(rate), static_cast<float>(decay)});
  }
  return rates;
}

double linear_scaling_factor(const TrainConfiguration& configuration) {
  if (!configuration.scale_rate_linearly || configuration.recipe_batch <= 0) return 1;
  return static_cast<double>(configuration.global_batch) / static_cast<double>(configuration.recipe_batch);
}

}  // namespace convoy
