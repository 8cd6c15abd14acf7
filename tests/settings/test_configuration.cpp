// The text of a configuration (what checkpoints carry and ranks compare) and the refusal of values that
// cannot work.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/error.hpp"
#include "settings/check.hpp"
#include "settings/configuration_text.hpp"
#include "settings/train_option.hpp"

namespace convoy {
namespace {

TrainConfiguration sound() {
  TrainConfiguration configuration;
  configuration.data = "store";
  configuration.output = "run";
  return configuration;
}

// What check_configuration says against a changed configuration; empty when it accepts it.
std::string refusal(const std::function<void(TrainConfiguration&)>& change) {
  TrainConfiguration configuration = sound();
  change(configuration);
  try {
    check_configuration(configuration);
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    return error.what();
  }
  return {};
}

TEST(Configuration, DefaultsAreAccepted) {
  EXPECT_EQ(refusal([](TrainConfiguration&) {}), "");
}

TEST(Configuration, RefusalsNameOptionAndValue) {
  using C = TrainConfiguration;
  const std::vector<std::pair<std::string, std::function<void(C&)>>> cases = {
      {"alexnt", [](C& c) { c.model = "alexnt"; }},
      {"--data", [](C& c) { c.data = ""; }},
      {"--output", [](C& c) { c.output = ""; }},
      {"--epochs 0", [](C& c) { c.epochs = 0; }},
      {"--global-batch 0", [](C& c) { c.global_batch = 0; }},
      {"--accumulate 200", [](C& c) { c.accumulate = 200; }},
      {"--log-every 0", [](C& c) { c.log_every = 0; }},
      {"--keep -1", [](C& c) { c.keep = -1; }},
      {"--momentum 1", [](C& c) { c.optimizer.momentum = 1; }},
      {"--weight-decay -1", [](C& c) { c.weight_decay = -1; }},
      {"--lr -0.1", [](C& c) { c.schedule.rate.first = -0.1; }},
      {"--lr ",
       [](C& c) {
         c.schedule.rate.later = {{20, 0.1}, {10, 0.01}};
       }},
      {"--lr.conv1", [](C& c) { c.schedule.rules["conv1"].factor = -1.0; }},
      {"--dropout 1", [](C& c) { c.dropout = 1.0; }},
      {"--patience 0", [](C& c) { c.schedule.kind = ScheduleKind::plateau, c.schedule.patience = 0; }},
      {"--evaluate-every 0",
       [](C& c) { c.schedule.kind = ScheduleKind::plateau, c.evaluate_every.count = 0; }},
      {"--warmup-start 2", [](C& c) { c.schedule.warmup_start = 2; }},
      {"--augment", [](C& c) { c.augmentation.crop = c.augmentation.resized_crop = true; }},
      {"--threads -1", [](C& c) { c.threads = -1; }},
      {"--scale-lr", [](C& c) { c.scale_rate_linearly = true; }},
      {"--tensorboard-histograms 2epochs", [](C& c) { c.histogram_every.count = 2; }},
      {"--trace-steps 1-3",
       [](C& c) {
         c.trace_steps = {1, 3};
       }},
      {"--trace-steps 3-1",
       [](C& c) {
         c.trace = "t.json", c.trace_steps = {3, 1};
       }},
      {"--precision fp16", [](C& c) { c.precision = Precision::fp16, c.device = DeviceKind::cpu; }},
  };
  for (const auto& [expected, change] : cases) {
    const std::string text = refusal(change);
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " is not in: " << text;
  }
}

TEST(Configuration, OptionsOfGpusThatDoNotGoTogether) {
  using C = TrainConfiguration;
  struct Case {
    DeviceKind device;
    std::vector<std::string> parts;  // of the refusal; none: accepted
    std::function<void(C&)> change;
    int ranks = 2;
  };
  const std::vector<Case> cases = {
      {DeviceKind::cpu,
       {"--collective nccl", "auto or mpi"},
       [](C& c) { c.collective = CollectiveKind::nccl; }},
      {DeviceKind::cpu, {"--wire-precision bf16", "use fp32"}, [](C& c) { c.wire = WirePrecision::bf16; }},
      {DeviceKind::cpu, {"--cuda-graph on", "auto or off"}, [](C& c) { c.cuda_graph = GraphUse::on; }},
      {DeviceKind::cuda,
       {"--wire-precision fp16", "--collective mpi", "--collective nccl"},
       [](C& c) { c.wire = WirePrecision::fp16, c.collective = CollectiveKind::mpi; }},
      {DeviceKind::cuda,
       {"--cuda-graph on", "--collective mpi"},
       [](C& c) { c.cuda_graph = GraphUse::on, c.collective = CollectiveKind::mpi; }},
      {DeviceKind::cuda,
       {},
       [](C& c) { c.cuda_graph = GraphUse::on, c.collective = CollectiveKind::mpi; },
       1},  // nothing is summed
      {DeviceKind::cpu, {}, [](C& c) { c.collective = CollectiveKind::mpi, c.cuda_graph = GraphUse::off; }},
      {DeviceKind::cpu, {}, [](C& c) { c.deterministic = false; }},
      {DeviceKind::cpu, {"--tune again", "auto on the CPU"}, [](C& c) { c.tune = TuneMode::again; }},
      {DeviceKind::cpu, {}, [](C& c) { c.tune = TuneMode::again, c.deterministic = false; }},
      {DeviceKind::cuda,
       {"--tune again", "--deterministic on", "--tune auto"},
       [](C& c) { c.tune = TuneMode::again, c.deterministic = true; }},
      {DeviceKind::cuda, {}, [](C& c) { c.tune = TuneMode::again; }},
      {DeviceKind::cuda, {}, [](C& c) { c.collective = CollectiveKind::mpi; }},
      {DeviceKind::cuda,
       {},
       [](C& c) {
         c.collective = CollectiveKind::nccl, c.wire = WirePrecision::bf16, c.cuda_graph = GraphUse::on;
       }},
  };
  for (const Case& one : cases) {
    TrainConfiguration configuration = sound();
    one.change(configuration);
    std::string text;
    try {
      check_device_options(configuration, one.device, one.ranks);
    } catch (const Error& error) {
      EXPECT_EQ(error.category(), ExitCode::usage);
      text = error.what();
    }
    if (one.parts.empty()) {
      EXPECT_EQ(text, "");
    }
    for (const std::string& part : one.parts)
      EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
  }
}

// A narrow wire decides the result, the transport and the recording of steps do not.
TEST(Configuration, OptionsOfGpusInTheText) {
  TrainConfiguration configuration = sound();
  const std::string before = configuration_text(configuration);
  configuration.collective = CollectiveKind::nccl, configuration.cuda_graph = GraphUse::off;
  EXPECT_EQ(configuration_text(configuration), before);
  EXPECT_NE(before.find("deterministic = auto\n"), std::string::npos);
  configuration.deterministic = true, configuration.wire = WirePrecision::bf16;
  const std::string text = full_configuration_text(configuration);
  for (const char* line :
       {"deterministic = on\n", "wire-precision = bf16\n", "collective = nccl\n", "cuda-graph = off\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "is not in\n" << text;
}

TEST(Configuration, TextHoldsWhatDecidesTheResultAlone) {
  const std::string text = configuration_text(sound());
  EXPECT_NE(text.find("model = alexnet\n"), std::string::npos);
  EXPECT_NE(text.find("global-batch = 128\n"), std::string::npos);
  EXPECT_EQ(text.find("output"), std::string::npos);
  EXPECT_EQ(text.find("threads"), std::string::npos);
  TrainConfiguration other = sound();
  other.output = "elsewhere", other.threads = 7, other.log_every = 1, other.resume = "auto";
  EXPECT_EQ(configuration_text(other), text);
  other.seed = 2;
  EXPECT_NE(configuration_text(other), text);
}

// Either decides how long the run is, and where its schedule ends.
TEST(Configuration, TextHoldsEpochsOrSteps) {
  TrainConfiguration configuration = sound();
  EXPECT_NE(configuration_text(configuration).find("\nepochs = 90\n"), std::string::npos);
  EXPECT_NE(configuration_text(configuration).find("\nsteps = -1\n"), std::string::npos);
  configuration.steps = 300;
  EXPECT_NE(configuration_text(configuration).find("\nsteps = 300\n"), std::string::npos);
  EXPECT_EQ(configuration_text(configuration).find("\nepochs ="), std::string::npos);
}

TEST(Configuration, FullTextHoldsEverything) {
  TrainConfiguration configuration = sound();
  configuration.schedule.rate.later = {{25, 0.001}, {51, 1e-4}};
  configuration.schedule.rules["bias"].factor = 2.0;
  configuration.evaluate_every = {500, false};
  configuration.augmentation.crop = configuration.augmentation.mirror = true;
  const std::string text = full_configuration_text(configuration);
  for (const char* line :
       {"lr = 0.01, 25:0.001, 51:0.0001\n", "lr.bias = x2\n", "evaluate-every = 500steps\n",
        "checkpoint-every = 1epoch\n", "augment = crop,mirror\n", "data = store\n", "output = run\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "is not in\n" << text;
}

// The text of a version that wrote "epochs" even for a run with --steps, and never "steps".
TEST(ResumedConfiguration, AnOlderTextDoesNotTellSteps) {
  TrainConfiguration configuration = sound();
  std::string before = configuration_text(configuration);
  const std::string line = "\nsteps = -1\n";
  before.replace(before.find(line), line.size(), "\n");
  const auto compare = [&] {
    return compare_configurations(before, configuration_text(configuration), true);
  };
  EXPECT_TRUE(compare().allowed.empty());
  EXPECT_FALSE(compare().other_length);
  configuration.epochs = 120;
  EXPECT_EQ(compare().allowed, (std::vector<OptionDifference>{{"epochs", "90", "120"}}));
  EXPECT_TRUE(compare().other_length);
  configuration.steps = 300;
  EXPECT_TRUE(compare().allowed.empty()) << "that run may have had --steps 300";
  EXPECT_TRUE(compare().other_length) << "its schedule ended with --epochs";
}

TEST(ResumedConfiguration, OptionsThatComeWithAnotherAreNoChangesOfTheirOwn) {
  TrainConfiguration configuration = sound();
  configuration.schedule.kind = ScheduleKind::cosine;
  const std::string before = configuration_text(configuration);
  ASSERT_NE(before.find("\nend-lr = "), std::string::npos);
  const auto changes_to = [&](const TrainConfiguration& now) {
    const auto differences = compare_configurations(before, configuration_text(now), true);
    EXPECT_FALSE(differences.other_length);
    return differences.allowed;
  };
  configuration.schedule.kind = ScheduleKind::step;
  ASSERT_NE(configuration_text(configuration).find("\nstep-factor = "), std::string::npos);
  EXPECT_EQ(changes_to(configuration), (std::vector<OptionDifference>{{"schedule", "cosine", "step"}}));
  configuration.schedule.kind = ScheduleKind::cosine;
  configuration.schedule.end_rate = 0.001;
  EXPECT_EQ(changes_to(configuration), (std::vector<OptionDifference>{{"end-lr", "0", "0.001"}}));
  configuration.schedule.end_rate = 0;
  configuration.schedule.warmup_epochs = 5;
  EXPECT_EQ(changes_to(configuration), (std::vector<OptionDifference>{{"warmup-epochs", "unset", "5"}}));
  configuration.schedule.warmup_epochs = 0;
  configuration.dropout = 0.25;
  EXPECT_EQ(changes_to(configuration), (std::vector<OptionDifference>{{"dropout", "unset", "0.25"}}));
}

// The deciding option is one of the list: a misspelled one would silence nothing.
TEST(ResumedConfiguration, DecidersAreOptions) {
  const std::vector<TrainOption> options = train_options();
  for (const TrainOption& option : options) {
    if (option.decider().empty()) continue;
    EXPECT_TRUE(std::ranges::any_of(options, [&](const TrainOption& other) {
      return other.name() == option.decider() && !other.keyed();
    })) << option.decider();
  }
}

TEST(ResumedConfiguration, SaysWhatDiffersAndWhatMayNot) {
  const std::string before = configuration_text(sound());
  TrainConfiguration changed = sound();
  changed.epochs = 120, changed.schedule.rate.first = 0.02;
  const auto allowed = compare_configurations(before, configuration_text(changed), true);
  EXPECT_EQ(allowed.allowed,
            (std::vector<OptionDifference>{{"epochs", "90", "120"}, {"lr", "0.01", "0.02"}}));
  EXPECT_EQ(difference_text(allowed.allowed[1]), "lr: 0.01 → 0.02");
  EXPECT_TRUE(allowed.refused.empty());
  changed = sound();
  changed.global_batch = 64;
  EXPECT_EQ(compare_configurations(before, configuration_text(changed), false).refused,
            (std::vector<OptionDifference>{{"global-batch", "128", "64"}}));
  changed = sound();
  changed.model = "caffe-alexnet";  // tensors of the same shapes as alexnet's
  EXPECT_EQ(compare_configurations(before, configuration_text(changed), false).refused,
            (std::vector<OptionDifference>{{"model", "alexnet", "caffe-alexnet"}}));
  changed = sound();
  changed.steps = 20;
  EXPECT_EQ(compare_configurations(before, configuration_text(changed), false).allowed,
            (std::vector<OptionDifference>{{"epochs", "90", "unset"}, {"steps", "unset", "20"}}));
  EXPECT_EQ(compare_configurations(configuration_text(changed), before, false).allowed,
            (std::vector<OptionDifference>{{"epochs", "unset", "90"}, {"steps", "20", "unset"}}));
  changed = sound();
  changed.seed = 7;
  EXPECT_EQ(compare_configurations(before, configuration_text(changed), true).refused.size(), 1U);
  EXPECT_EQ(compare_configurations(before, configuration_text(changed), false).allowed.size(), 1U);
}

}  // namespace
}  // namespace convoy
