// A configuration file from a stranger: every line as an option of `convoy train`, the checks of the whole,
// and the text that it becomes in checkpoints, which must read back as the same text.

#include <map>

#include "base/error.hpp"
#include "base/text_file.hpp"
#include "fuzz/fuzz_target.hpp"
#include "settings/check.hpp"
#include "settings/configuration_text.hpp"
#include "settings/key_values.hpp"
#include "settings/train_option.hpp"

namespace convoy::fuzz {

namespace {

const std::vector<TrainOption>& options() {
  static const std::vector<TrainOption> all = train_options();
  return all;
}

// Sets what `key` names ("lr", "lr.conv1"); an unknown one is ignored here, as it is refused before anything
// else.
void set(TrainConfiguration& configuration, const std::string& key, const std::string& value) {
  for (const TrainOption& option : options()) {
    if (option.name() == key && !option.keyed()) option.read(configuration, "", value);
    if (option.keyed() && key.starts_with(option.name() + "."))
      option.read(configuration, key.substr(option.name().size() + 1), value);
  }
}

}  // namespace

std::vector<Seed> seeds() {
  std::vector<Seed> all{{"whole", full_configuration_text(TrainConfiguration())},
                        {"result", configuration_text(TrainConfiguration())}};
  all.push_back({"rates",
                 "# a recipe\nlr = 0.01, 25:0.001, 51:1e-4\nlr.conv1 = 0.002\nlr.bias = x2\n"
                 "schedule = step\nwarmup-epochs = 5\noutput = \"a # b\"\n"});
  all.push_back({"units",
                 "checkpoint-every = 500steps\nevaluate-every = 2 epochs\nscale = 1/255\n"
                 "trace-steps = 11-30\nbucket-size = 4MiB\nprecision = bf16\nmodel = alexnet-mini\n"});
  return all;
}

void read_input(std::string_view bytes) {
  const std::string text = read_text(file_of(bytes));
  TrainConfiguration configuration;
  for (const KeyValue& line : read_key_values(text, "file"))
    attempt([&] { set(configuration, line.key, line.value); });
  check_configuration(configuration);
  const std::string written = configuration_text(configuration);
  TrainConfiguration again;
  for (const KeyValue& line : written_key_values(written)) set(again, line.key, line.value);
  if (configuration_text(again) != written)
    throw Error(ExitCode::bug, "a configuration's text reads back as another configuration:\n" + written +
                                   "---\n" + configuration_text(again));
  compare_configurations(written, text, true);
}

}  // namespace convoy::fuzz
