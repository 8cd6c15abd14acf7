// --optimizer of the benchmarks that run whole training steps.
#pragma once

#include <string>

#include "base/error.hpp"
#include "engine/optimizer_table.hpp"

namespace convoy {

// "sgd, sgd-caffe, adam".
inline std::string optimizer_choice() {
  std::string text;
  for (const OptimizerRule rule : optimizer_rules)
    text += (text.empty() ? "" : ", ") + std::string(optimizer_word(rule));
  return text;
}

inline OptimizerRule parsed_optimizer(const std::string& name) {
  if (const auto rule = value_of(optimizer_words(), name)) return *rule;
  fail(ExitCode::usage, "--optimizer {}: must be one of {}", name, optimizer_choice());
}

}  // namespace convoy
