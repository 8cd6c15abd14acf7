// The files of configs/ hold what the table of recipes says, and a run's full configuration can be given
// back.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/train_options.hpp"
#include "settings/check.hpp"
#include "settings/configuration_text.hpp"
#include "support/temporary_folder.hpp"

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
  return read(fmt::format("{}/{}.cfg", CONVOY_CONFIGS, name));
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
  EXPECT_EQ(c.input_mean, InputMean::image);
}

TEST(Recipes, OneWeirdTrick) {
  const TrainConfiguration c = recipe("owt");
  EXPECT_EQ(c.model, "alexnet-owt");
  EXPECT_EQ(c.optimizer.rule, OptimizerRule::sgd);
  EXPECT_EQ(c.schedule.step_epochs, 30);
  EXPECT_EQ(c.weight_decay, 1e-4);
  EXPECT_EQ(c.global_batch, 256);
  EXPECT_TRUE(c.input_scale.by_deviation);
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
  EXPECT_EQ(c.input_scale.number, 1.0 / 255);
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

}  // namespace
}  // namespace convoy
