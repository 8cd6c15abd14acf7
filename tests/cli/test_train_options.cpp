// Every option of `convoy train`, taken from the list itself: it is read from the command line and from
// files, written down, read back, and counts on a resume as it should.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/error.hpp"
#include "cli/train_options.hpp"
#include "settings/configuration_text.hpp"
#include "settings/train_option.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

// What a resumed run does about another value than the checkpoint's.
enum class Resume { ignored, warned, refused_within_epoch, refused };

// Another value of an option, with the options without which it means nothing.
struct OtherValue {
  std::string name, value;
  Resume resume;
  std::vector<std::string> with = {};
};

const std::vector<OtherValue>& other_values() {
  static const std::vector<OtherValue> values{
      {"model", "caffenet", Resume::refused},
      {"data", "elsewhere", Resume::ignored},
      {"stage", "elsewhere", Resume::ignored},
      {"output", "elsewhere", Resume::ignored},
      {"weights", "a.h5", Resume::ignored},
      {"resume", "auto", Resume::ignored},
      {"seed", "2", Resume::refused_within_epoch},
      {"classes", "7", Resume::refused},
      {"epochs", "3", Resume::warned},
      {"steps", "9", Resume::warned},
      {"evaluate-every", "7steps", Resume::ignored},
      {"checkpoint-every", "7steps", Resume::ignored},
      {"keep", "1", Resume::ignored},
      {"log-every", "3", Resume::ignored},
      {"tensorboard", "on", Resume::ignored},
      {"tensorboard-histograms", "7steps", Resume::ignored, {"--tensorboard", "on"}},
      {"mllog", "on", Resume::ignored},
      {"trace", "trace.json", Resume::ignored},
      {"trace-steps", "5-7", Resume::ignored, {"--trace", "trace.json"}},
      {"global-batch", "64", Resume::refused},
      {"accumulate", "2", Resume::warned},
      {"scale-lr", "linear", Resume::warned},
      {"recipe-batch", "32", Resume::warned, {"--scale-lr", "linear"}},
      {"optimizer", "sgd-caffe", Resume::refused},
      {"lr", "0.5, 3:0.1", Resume::warned},
      {"lr.conv1", "x3", Resume::warned},
      {"momentum", "0.5", Resume::warned},
      {"weight-decay", "0.5", Resume::warned},
      {"bias-decay", "0.5", Resume::warned},
      {"adam-betas", "0.5,0.6", Resume::warned, {"--optimizer", "adam"}},
      {"adam-epsilon", "0.5", Resume::warned, {"--optimizer", "adam"}},
      {"schedule", "step", Resume::warned},
      {"warmup-epochs", "2", Resume::warned},
      {"warmup-start", "0.5", Resume::warned, {"--warmup-epochs", "2"}},
      {"step-epochs", "7", Resume::warned, {"--schedule", "step"}},
      {"step-factor", "0.7", Resume::warned, {"--schedule", "step"}},
      {"patience", "7", Resume::warned, {"--schedule", "plateau"}},
      {"drops", "7", Resume::warned, {"--schedule", "plateau"}},
      {"plateau-factor", "0.7", Resume::warned, {"--schedule", "plateau"}},
      {"plateau-threshold", "0.7", Resume::warned, {"--schedule", "plateau"}},
      {"power", "7", Resume::warned, {"--schedule", "polynomial"}},
      {"end-lr", "0.001", Resume::warned, {"--schedule", "cosine"}},
      {"init", "keras", Resume::warned},
      {"dropout", "0.25", Resume::warned},
      {"augment", "rotate", Resume::warned},
      {"augment.colour", "until:7", Resume::warned, {"--augment", "colour"}},
      {"colour-sigma", "0.7", Resume::warned, {"--augment", "colour"}},
      {"rotate-degrees", "7", Resume::warned, {"--augment", "rotate"}},
      {"shift-fraction", "0.7", Resume::warned, {"--augment", "shift"}},
      {"input-mean", "none", Resume::warned},
      {"input-scale", "1/255", Resume::warned},
      {"workers", "3", Resume::ignored},
      {"shuffle", "node", Resume::refused_within_epoch},
      {"device", "cpu", Resume::ignored},
      {"precision", "bf16", Resume::warned},
      {"threads", "3", Resume::ignored},
      {"deterministic", "on", Resume::warned},
      {"collective", "mpi", Resume::ignored},
      {"wire-precision", "bf16", Resume::warned},
      {"tune", "off", Resume::ignored},
      {"cuda-graph", "off", Resume::ignored},
      {"watchdog-seconds", "7", Resume::ignored},
      {"deadline", "2h30m", Resume::ignored},
  };
  return values;
}

const OtherValue* other_value_of(const TrainOption& option) {
  const std::string prefix = option.name() + ".";
  const auto found = std::ranges::find_if(other_values(), [&](const OtherValue& other) {
    return option.keyed() ? other.name.starts_with(prefix) : other.name == option.name();
  });
  return found == other_values().end() ? nullptr : &*found;
}

TrainConfiguration given(const std::vector<std::string>& arguments) {
  TrainConfiguration configuration;
  OptionTable table("convoy train");
  declare_train_options(table, configuration);
  table.parse(arguments);
  return configuration;
}

struct Change {
  TrainConfiguration before, after;
};

Change change_of(const OtherValue& other) {
  std::vector<std::string> arguments = other.with;
  const TrainConfiguration before = given(arguments);
  arguments.insert(arguments.end(), {"--" + other.name, other.value});
  return {before, given(arguments)};
}

// Calls check(option, its other value, the change) for every entry.
template <typename Check>
void for_options(Check&& check) {
  for (const TrainOption& option : train_options()) {
    SCOPED_TRACE(option.name() + (option.keyed() ? ".KEY" : ""));
    const OtherValue* other = other_value_of(option);
    ASSERT_NE(other, nullptr) << "the list above lacks it";
    check(option, *other, change_of(*other));
  }
}

TEST(TrainOptions, TheListAboveHasNoOthers) {
  EXPECT_EQ(train_options().size(), other_values().size());
  EXPECT_GT(other_values().size(), 50U);
}

// Otherwise it would vanish from checkpoints, run.json and the agreement between ranks.
TEST(TrainOptions, AnotherValueIsWrittenDownAndReadBack) {
  const test::TemporaryFolder folder;
  for_options([&](const TrainOption&, const OtherValue& other, const Change& change) {
    EXPECT_NE(full_configuration_text(change.after), full_configuration_text(change.before));
    EXPECT_EQ(configuration_text(change.after) != configuration_text(change.before),
              other.resume != Resume::ignored);
    const std::string file = folder / "option.cfg";
    std::ofstream(file) << full_configuration_text(change.after);
    EXPECT_EQ(full_configuration_text(given({"--config", file})), full_configuration_text(change.after));
  });
}

TEST(TrainOptions, AnotherValueCountsOnAResume) {
  for_options([](const TrainOption& option, const OtherValue& other, const Change& change) {
    for (const bool within_epoch : {false, true}) {
      const auto differences = compare_configurations(configuration_text(change.before),
                                                      configuration_text(change.after), within_epoch);
      const bool refused =
          other.resume == Resume::refused || (other.resume == Resume::refused_within_epoch && within_epoch);
      EXPECT_EQ(!differences.refused.empty(), refused);
      const bool noticed = !differences.allowed.empty() || !differences.refused.empty();
      EXPECT_EQ(noticed, other.resume != Resume::ignored);
      EXPECT_EQ(option.concern() == Concern::result, other.resume != Resume::ignored);
    }
  });
}

TEST(TrainOptions, TheHelpNamesEach) {
  TrainConfiguration configuration;
  OptionTable table("convoy train");
  declare_train_options(table, configuration);
  const std::string help = table.help_text();
  const std::vector<std::string> groups = train_option_groups();
  for_options([&](const TrainOption& option, const OtherValue&, const Change&) {
    const std::string name = "  --" + option.name() + (option.keyed() ? ".KEY " : " ");
    const bool may_be_left_out = option.value_name() == "on|off";
    const std::string value = may_be_left_out ? "[" + option.value_name() + "]" : option.value_name();
    EXPECT_NE(help.find(name + value), std::string::npos) << help;
    EXPECT_NE(std::ranges::find(groups, option.group()), groups.end());
  });
}

// A list of words admits no other; a path may be anything.
TEST(TrainOptions, AnUnknownWordIsRefused) {
  int lists = 0;
  for (const TrainOption& option : train_options()) {
    const std::string values = option.value_name();
    if (option.keyed() || option.name() == "resume" || values.find('|') == std::string::npos) continue;
    if (values.starts_with("CHECKPOINT")) continue;
    ++lists;
    try {
      given({"--" + option.name(), "median"});
      ADD_FAILURE() << option.name();
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("--" + option.name() + ": 'median' is not"), 0U)
          << error.what();
    }
  }
  EXPECT_GE(lists, 10);
}

// What the command line takes is what a configuration made in a program must hold.
TEST(TrainOptions, DefaultsReadBack) {
  const TrainConfiguration defaults;
  for (const TrainOption& option : train_options())
    for (const auto& [key, value] : option.write(defaults)) {
      TrainConfiguration read;
      EXPECT_NO_THROW(option.read(read, key, value)) << option.full_name(key);
    }
}

}  // namespace
}  // namespace convoy
