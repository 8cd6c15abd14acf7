#include "settings/configuration_text.hpp"

#include <fmt/format.h>

#include <map>

#include "settings/key_values.hpp"
#include "settings/train_option.hpp"

namespace convoy {
namespace {

std::string text_of(const TrainConfiguration& configuration, Concern concern) {
  std::string text;
  for (const TrainOption& option : train_options()) {
    if (option.concern() != concern) continue;
    for (const auto& [key, value] : option.write(configuration))
      text += fmt::format("{} = {}\n", option.full_name(key), value);
  }
  return text;
}

std::map<std::string, std::string> values_by_key(const std::string& text) {
  std::map<std::string, std::string> values;
  for (const KeyValue& entry : written_key_values(text)) values[entry.key] = entry.value;
  return values;
}

// What a change of `key` means; a key of another version only warns.
OnResume rule_of(const std::vector<TrainOption>& options, std::string_view key) {
  const bool keyed = key.find('.') != std::string_view::npos;
  for (const TrainOption& option : options)
    if (option.keyed() == keyed && option.name() == key.substr(0, key.find('.'))) return option.on_resume();
  return OnResume::warn;
}

}  // namespace

std::string difference_text(const OptionDifference& difference) {
  return fmt::format("{}: {} → {}", difference.option, difference.before, difference.now);
}

std::string configuration_text(const TrainConfiguration& configuration) {
  return text_of(configuration, Concern::result);
}

std::string full_configuration_text(const TrainConfiguration& configuration) {
  return text_of(configuration, Concern::result) + text_of(configuration, Concern::place) +
         text_of(configuration, Concern::machine);
}

std::string configured_value(const std::string& text, std::string_view key) {
  for (const KeyValue& entry : written_key_values(text))
    if (entry.key == key) return entry.value;
  return {};
}

ConfigurationDifferences compare_configurations(const std::string& before, const std::string& now,
                                                bool within_epoch) {
  const std::map<std::string, std::string> old_values = values_by_key(before),
                                           new_values = values_by_key(now);
  std::map<std::string, std::string> keys = old_values;
  keys.insert(new_values.begin(), new_values.end());
  const std::vector<TrainOption> options = train_options();
  ConfigurationDifferences differences;
  for (const auto& [key, value] : keys) {
    const auto was = old_values.find(key), is = new_values.find(key);
    const std::string left = was == old_values.end() ? "unset" : was->second;
    const std::string right = is == new_values.end() ? "unset" : is->second;
    if (left == right) continue;
    const OnResume rule = rule_of(options, key);
    const bool refused = rule == OnResume::refuse || (rule == OnResume::refuse_within_epoch && within_epoch);
    (refused ? differences.refused : differences.allowed).push_back({key, left, right});
  }
  return differences;
}

}  // namespace convoy
