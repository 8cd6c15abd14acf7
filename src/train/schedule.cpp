#include "train/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

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

std::vector<TensorRate> tensor_rates(const ParameterTable& table, const ScheduleSettings& schedule,
                                     const Decay& decay, const SchedulePoint& point) {
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
    const double lambda = parameter.kind == ParameterKind::bias ? decay.biases : decay.weights;
    rates.push_back({static_cast<float>(rate), static_cast<float>(lambda)});
  }
  return rates;
}

}  // namespace convoy
