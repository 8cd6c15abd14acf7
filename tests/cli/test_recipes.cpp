// The files of configs/ hold what the table of recipes says, and a run's full configuration can be given
// back.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/train_options.hpp"
#include "support/temporary_folder.hpp"
#include "train/configuration.hpp"

namespace convoy {
namespace {

TrainConfiguration read(const std::string& file, std::vector<std::string> more = {}) {
  TrainConfiguration configuration;
  OptionTable table("convoy train");
  declare_train_options(table, configuration);
  more.insert(more.end(), {"--config", file});
  table.parse(more);
  return configuration;
}

TrainConfiguration recipe(const std::string& name) {
  return read(std::string(CONVOY_CONFIGS) + "/" + name + ".cfg");
}

TEST(Recipes, AllCanBeUsed) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(CONVOY_CONFIGS)) {
    SCOPED_TRACE(entry.path().string());
    EXPECT_NO_THROW(check_configuration(read(entry.path(), {"--data", "store", "--output", "out"})));
    ++count;
  }
  EXPECT_EQ(count, 8);
}

TEST(Recipes, Paper) {
  const TrainConfiguration c = recipe("paper");
  EXPECT_EQ(c.model, "alexnet");
  EXPECT_EQ(c.optimizer.rule, OptimizerRule::sgd_caffe);
  EXPECT_EQ(c.schedule.rate.first, 0.01);
  EXPECT_EQ(c.schedule.kind, ScheduleKind::plateau);
  EXPECT_EQ(c.schedule.drops, 3);
  EXPECT_EQ(c.global_batch, 128);
  EXPECT_EQ(c.epochs, 90);
  EXPECT_EQ(c.weight_decay, 5e-4);
  EXPECT_TRUE(c.augmentation.crop && c.augmentation.mirror && c.augmentation.colour);
  EXPECT_EQ(c.augmentation.colour_sigma, 0.1);
}

TEST(Recipes, Caffe) {
  const TrainConfiguration c = recipe("caffe");
  EXPECT_EQ(c.model, "caffe-alexnet");
  EXPECT_EQ(c.optimizer.rule, OptimizerRule::sgd_caffe);
  EXPECT_EQ(c.schedule.rules.at("bias").factor, 2.0);
  EXPECT_EQ(c.bias_decay, 0.0);
  EXPECT_EQ(c.schedule.kind, ScheduleKind::step);
  EXPECT_EQ(c.schedule.step_epochs, 20);
  EXPECT_EQ(c.global_batch, 256);
  EXPECT_EQ(c.input_mean, "image");
}

TEST(Recipes, OneWeirdTrick) {
  const TrainConfiguration c = recipe("owt");
  EXPECT_EQ(c.model, "alexnet-owt");
  EXPECT_EQ(c.optimizer.rule, OptimizerRule::sgd);
  EXPECT_EQ(c.schedule.step_epochs, 30);
  EXPECT_EQ(c.weight_decay, 1e-4);
  EXPECT_EQ(c.global_batch, 256);
  EXPECT_EQ(c.input_scale, "std");
}

TEST(Recipes, Cifar10) {
  const TrainConfiguration c = recipe("cifar10");
  EXPECT_EQ(c.model, "alexnet-cifar");
  EXPECT_EQ(c.optimizer.rule, OptimizerRule::adam);
  EXPECT_EQ(c.optimizer.epsilon, 1e-7F);
  EXPECT_EQ(c.schedule.rate.first, 1e-3);
  EXPECT_EQ(c.weight_decay, 0);
  EXPECT_EQ(c.global_batch, 64);
  EXPECT_EQ(c.epochs, 50);
  EXPECT_TRUE(c.augmentation.rotate && c.augmentation.shift && c.augmentation.mirror);
  EXPECT_FALSE(c.augmentation.crop);
  EXPECT_EQ(c.input_scale, "1/255");
}

TEST(Recipes, DatedRatesRulesAndColour) {
  const test::TemporaryFolder folder;
  const std::string file = folder / "dated.cfg";
  std::ofstream(file) << "lr = 0.01, 25:0.001, 51:1e-4\nlr.conv1 = 0.01, 67:1e-5, 72:0\nlr.bias = x2\n"
                         "augment = crop,colour\naugment.colour = until:67\nevaluate-every = 500steps\n";
  const TrainConfiguration c = read(file, {"--augment", "crop,mirror,colour"});
  EXPECT_EQ(c.schedule.rate.later.size(), 2u);
  EXPECT_EQ(c.schedule.rules.at("conv1").own->later.at(1).second, 0);
  EXPECT_EQ(c.schedule.rules.at("bias").factor, 2.0);
  EXPECT_EQ(c.augmentation.colour_until_epoch, 67);
  EXPECT_TRUE(c.augmentation.mirror);  // the command line's list, the file's date
  EXPECT_EQ(c.evaluate_every.count, 500);
}

// run.json's configuration starts the same run again.
TEST(Recipes, FullConfigurationReadsBack) {
  const test::TemporaryFolder folder;
  for (const char* name : {"paper", "caffe", "owt", "cifar10", "quickstart"}) {
    SCOPED_TRACE(name);
    TrainConfiguration before = recipe(name);
    before.data = "store", before.output = "out";
    before.dropout = 0.25, before.seed = 12345678901234567ULL;
    before.schedule.rate.later = {{25, 0.001}};
    before.schedule.rules["conv1"].own = DatedRate{0.002, {{7, 1e-5}}};
    before.augmentation.colour_until_epoch = 67;
    before.evaluate_every = {500, false};
    before.recipe_batch = 64, before.scale_rate_linearly = true;
    const std::string file = folder / "full.cfg";
    std::ofstream(file) << full_configuration_text(before);
    EXPECT_EQ(full_configuration_text(read(file)), full_configuration_text(before));
  }
}

// Another value of each option that `convoy train` declares, with the options without which it means nothing,
// and whether it decides a run's result.
struct OtherValue {
  std::string name, value;
  bool decides;
  std::vector<std::string> with = {};
};

const std::vector<OtherValue>& other_values() {
  static const std::vector<OtherValue> values{
      {"model", "caffenet", true},
      {"data", "elsewhere", false},
      {"output", "elsewhere", false},
      {"weights", "a.h5", false},
      {"resume", "auto", false},
      {"seed", "2", true},
      {"classes", "7", true},
      {"epochs", "3", true},
      {"steps", "9", false},
      {"evaluate-every", "7steps", false},
      {"checkpoint-every", "7steps", false},
      {"keep", "1", false},
      {"log-every", "3", false},
      {"global-batch", "64", true},
      {"accumulate", "2", true},
      {"scale-lr", "linear", true},
      {"recipe-batch", "32", true, {"--scale-lr", "linear"}},
      {"optimizer", "sgd-caffe", true},
      {"lr", "0.5, 3:0.1", true},
      {"lr.conv1", "x3", true},
      {"momentum", "0.5", true},
      {"weight-decay", "0.5", true},
      {"bias-decay", "0.5", true},
      {"adam-betas", "0.5,0.6", true, {"--optimizer", "adam"}},
      {"adam-epsilon", "0.5", true, {"--optimizer", "adam"}},
      {"schedule", "step", true},
      {"warmup-epochs", "2", true},
      {"warmup-start", "0.5", true, {"--warmup-epochs", "2"}},
      {"step-epochs", "7", true, {"--schedule", "step"}},
      {"step-factor", "0.7", true, {"--schedule", "step"}},
      {"patience", "7", true, {"--schedule", "plateau"}},
      {"drops", "7", true, {"--schedule", "plateau"}},
      {"plateau-factor", "0.7", true, {"--schedule", "plateau"}},
      {"plateau-threshold", "0.7", true, {"--schedule", "plateau"}},
      {"power", "7", true, {"--schedule", "polynomial"}},
      {"end-lr", "0.001", true, {"--schedule", "cosine"}},
      {"init", "keras", true},
      {"dropout", "0.25", true},
      {"augment", "rotate", true},
      {"augment.colour", "until:7", true, {"--augment", "colour"}},
      {"colour-sigma", "0.7", true, {"--augment", "colour"}},
      {"rotate-degrees", "7", true, {"--augment", "rotate"}},
      {"shift-fraction", "0.7", true, {"--augment", "shift"}},
      {"input-mean", "none", true},
      {"input-scale", "1/255", true},
      {"workers", "3", false},
      {"shuffle", "node", true},
      {"device", "cpu", false},
      {"precision", "bf16", true},
      {"threads", "3", false},
      {"deterministic", "on", true},
      {"collective", "mpi", false},
      {"wire-precision", "bf16", true},
      {"cuda-graph", "off", false},
      {"watchdog-seconds", "7", false},
  };
  return values;
}

TrainConfiguration given(std::vector<std::string> arguments) {
  TrainConfiguration configuration;
  OptionTable table("convoy train");
  declare_train_options(table, configuration);
  table.parse(arguments);
  return configuration;
}

// An option that is declared but written down nowhere would vanish from checkpoints, run.json and the
// agreement between ranks.
TEST(Recipes, EveryOptionIsWrittenDownAndReadBack) {
  const test::TemporaryFolder folder;
  for (const OtherValue& other : other_values()) {
    SCOPED_TRACE(other.name);
    std::vector<std::string> arguments = other.with;
    const TrainConfiguration before = given(arguments);
    arguments.insert(arguments.end(), {"--" + other.name, other.value});
    const TrainConfiguration after = given(arguments);
    EXPECT_NE(full_configuration_text(after), full_configuration_text(before));
    EXPECT_EQ(configuration_text(after) != configuration_text(before), other.decides);
    const std::string file = folder / "option.cfg";
    std::ofstream(file) << full_configuration_text(after);
    EXPECT_EQ(full_configuration_text(read(file)), full_configuration_text(after));
  }
}

// The list above has all options that the help names.
TEST(Recipes, EveryDeclaredOptionHasAnotherValue) {
  TrainConfiguration configuration;
  OptionTable table("convoy train");
  declare_train_options(table, configuration);
  std::istringstream help(table.help_text());
  std::vector<std::string> left_out;
  int options = 0;
  for (std::string line; std::getline(help, line);) {
    constexpr std::string_view start = "  --";
    if (!line.starts_with(start)) continue;
    std::string name = line.substr(start.size(), line.find(' ', start.size()) - start.size());
    if (name == "config") continue;
    ++options;
    const bool keyed = name.ends_with(".KEY");
    if (keyed) name.resize(name.size() - 3);  // "lr."
    const bool listed = std::ranges::any_of(other_values(), [&](const OtherValue& other) {
      return keyed ? other.name.starts_with(name) : other.name == name;
    });
    if (!listed) left_out.push_back(name);
  }
  EXPECT_GT(options, 50);
  EXPECT_EQ(left_out, std::vector<std::string>());
}

}  // namespace
}  // namespace convoy
