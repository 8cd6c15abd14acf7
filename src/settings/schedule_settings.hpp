// The settings of the learning rate: plain data, read by settings/ and followed by
// train/schedule.hpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/words.hpp"
#include "model/parameter_table.hpp"

namespace convoy {

enum class ScheduleKind { constant, step, plateau, polynomial, cosine };

inline Words<ScheduleKind> schedule_words() {
  return {{"constant", ScheduleKind::constant},
          {"step", ScheduleKind::step},
          {"plateau", ScheduleKind::plateau},
          {"polynomial", ScheduleKind::polynomial},
          {"cosine", ScheduleKind::cosine}};
}

// "0.01, 25:0.001, 51:1e-4": a rate and the epochs from which others hold.
struct DatedRate {
  double first = 0.01;
  std::vector<std::pair<double, double>> later;  // (epoch, rate), ascending
};

// "lr.conv1 = 0.002" (a rate of its own, dated or not) or "lr.bias = x2" (a multiple of the base rate).
struct RateRule {
  std::optional<double> factor;
  std::optional<DatedRate> own;
};

// By layer ("conv1"), kind ("bias", "weight") or both ("conv1.bias"); the most specific one holds.
using RateRules = std::map<std::string, RateRule>;

struct ScheduleSettings {
  ScheduleKind kind = ScheduleKind::constant;
  DatedRate rate;
  RateRules rules;
  double warmup_epochs = 0, warmup_start = 0;  // linear from warmup_start (× the rate) to the rate
  double step_epochs = 30, step_factor = 0.1;  // step
  int patience = 5, drops = 3;                 // plateau
  double plateau_factor = 0.1, plateau_threshold = 0.001;  // top-1 must fall by 0.1 point
  double power = 2, end_rate = 0;                          // polynomial; cosine ends at end_rate
};

// The rule that holds for a parameter; null when none does.
const RateRule* rule_for(const RateRules& rules, const Parameter& parameter);

// Throws ExitCode::usage for the first rule that names no layer or kind of `table`.
void check_rate_rules(const RateRules& rules, const ParameterTable& table);

}  // namespace convoy
