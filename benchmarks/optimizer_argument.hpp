// --optimizer of the benchmarks that run whole training steps.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/text_list.hpp"
#include "engine/optimizer_table.hpp"

namespace convoy {

// "sgd, sgd-caffe, adam".
inline std::string optimizer_choice() {
  std::vector<std::string_view> words;
  for (const OptimizerRule rule : optimizer_rules) words.push_back(optimizer_word(rule));
  return text_list(words);
}

inline OptimizerRule parsed_optimizer(const std::string& name) {
  if (const auto rule = value_of(optimizer_words(), name)) return *rule;
  fail(ExitCode::usage, "--optimizer {}: must be one of {}", name, optimizer_choice());
}

}  // namespace convoy
