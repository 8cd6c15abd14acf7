#include "settings/configuration_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
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

using Values = std::map<std::string, std::string, std::less<>>;

Values values_by_key(const std::string& text) {
  Values values;
  for (const KeyValue& entry : written_key_values(text)) values[entry.key] = entry.value;
  return values;
}

// The value of an option that applies to a text, else "unset".
std::string value_in(const Values& values, std::string_view key) {
  const auto found = values.find(key);
  const bool by_epochs = key == "steps" && found != values.end() && found->second == "-1";
  return found == values.end() || by_epochs ? "unset" : found->second;
}

// The option of `key`; null for a key of another version.
const TrainOption* option_of(const std::vector<TrainOption>& options, std::string_view key) {
  const bool keyed = key.find('.') != std::string_view::npos;
  const auto found = std::ranges::find_if(options, [&](const TrainOption& option) {
    return option.keyed() == keyed && option.name() == key.substr(0, key.find('.'));
  });
  return found == options.end() ? nullptr : &*found;
}

// Whether a difference in this option comes with another one's, which is told: --schedule step brings
// step-epochs and takes end-lr away.
bool follows_another(const TrainOption* option, const Values& before, const Values& now) {
  return option != nullptr && !option->decider().empty() &&
         value_in(before, option->decider()) != value_in(now, option->decider());
}

bool is_length(std::string_view key) {
  return key == "epochs" || key == "steps";
}

// Texts without "steps" are of a version that wrote "epochs" even for a run with --steps: whether --steps
// changes the run's length is unknown, only that its schedule may end elsewhere.
bool length_is_unknown(const Values& before, const Values& now) {
  return !before.contains("steps") && !now.contains("epochs");
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
  const Values old_values = values_by_key(before), new_values = values_by_key(now);
  Values keys = old_values;
  keys.insert(new_values.begin(), new_values.end());
  const std::vector<TrainOption> options = train_options();
  ConfigurationDifferences differences;
  for (const auto& [key, value] : keys) {
    const std::string left = value_in(old_values, key), right = value_in(new_values, key);
    if (left == right) continue;
    if (is_length(key)) differences.other_length = true;
    const bool one_sided = !old_values.contains(key) || !new_values.contains(key);
    const TrainOption* option = option_of(options, key);
    if (one_sided && follows_another(option, old_values, new_values)) continue;
    if (is_length(key) && length_is_unknown(old_values, new_values)) continue;
    const OnResume rule = option != nullptr ? option->on_resume() : OnResume::warn;
    const bool refused = rule == OnResume::refuse || (rule == OnResume::refuse_within_epoch && within_epoch);
    (refused ? differences.refused : differences.allowed).push_back({key, left, right});
  }
  return differences;
}

}  // namespace convoy
