#include "settings/schedule_settings.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "settings/values.hpp"

namespace convoy {

const RateRule* rule_for(const RateRules& rules, const Parameter& parameter) {
  const std::string kind = parameter.kind == ParameterKind::weight ? "weight" : "bias";
  for (const std::string& key : {parameter.layer + "." + kind, parameter.layer, kind})
    if (const auto found = rules.find(key); found != rules.end()) return &found->second;
  return nullptr;
}

void check_rate_rules(const RateRules& rules, const ParameterTable& table) {
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
           "for the layers {}, or for both as in {}.bias",
           key, joined(layers), layers.front());
}

}  // namespace convoy
