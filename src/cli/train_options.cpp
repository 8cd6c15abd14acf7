#include "cli/train_options.hpp"

#include <fmt/format.h>

#include "settings/train_option.hpp"

namespace convoy {
namespace {

void declare(OptionTable& table, const TrainOption& option, TrainConfiguration& configuration) {
  const std::string standard = option.default_text();
  std::string help = option.help() + (standard.empty() ? "" : fmt::format(" [{}]", standard));
  const auto read = [option, &configuration](const std::string& key, const std::string& value) {
    option.read(configuration, key, value);
  };
  if (option.keyed())
    table.add_keyed(option.name(), option.value_name(), std::move(help), read);
  else
    table.add(option.name(), option.value_name(), std::move(help),
              [read](const std::string& value) { read("", value); });
  table.offer(option.words());
  if (option.value_name() == "on|off") table.value_optional("on");
}

}  // namespace

void declare_train_options(OptionTable& table, TrainConfiguration& configuration) {
  const std::vector<TrainOption> options = train_options();
  for (const std::string& group : train_option_groups()) {
    table.group(group);
    if (group == train_option_groups().front()) table.add_config();
    // Of what to train, the store and the folders are what everyone has to give.
    const bool paths_first = group == train_option_groups().front();
    for (const TrainOption& option : options)
      if (option.group() == group && paths_first && option.concern() == Concern::place)
        declare(table, option, configuration);
    for (const TrainOption& option : options)
      if (option.group() == group && !(paths_first && option.concern() == Concern::place))
        declare(table, option, configuration);
  }
}

}  // namespace convoy
