// From a synthetic store to named images, on two ranks, through the program: what launch/quickstart does,
// smaller.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

std::vector<nlohmann::json> metrics_of(const std::filesystem::path& run, const std::string& kind) {
  std::vector<nlohmann::json> found;
  std::ifstream in(run / "metrics.jsonl");
  std::string line;
  while (std::getline(in, line)) {
    const nlohmann::json record = nlohmann::json::parse(line);
    if (record["kind"] == kind) found.push_back(record);
  }
  return found;
}

TEST(WholeRun, LearnsEvaluatesAndNamesImages) {
  const TemporaryFolder folder;
  const std::string store = folder / "store";
  const std::string output = folder / "run";
  const std::string images = folder / "images";
  const Outcome made = run({program, "synthesize", store, "--classes", "4", "--images", "160", "--val-images",
                            "40", "--image-size", "72", "--export", images, "--export-images", "4"});
  ASSERT_EQ(made.code, 0) << made.err;
  const Outcome verified = run(on_ranks(2, {program, "verify", store}));
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
  EXPECT_NE(verified.out.find("200 images are valid"), std::string::npos) << verified.out;

  const Outcome trained = run(on_ranks(2, {program,
                                           "train",
                                           "--config",
                                           CONVOY_SOURCE "/configs/quickstart.cfg",
                                           "--data",
                                           store,
                                           "--output",
                                           output,
                                           "--global-batch",
                                           "16",
                                           "--epochs",
                                           "12",
                                           "--lr",
                                           "0.02",
                                           "--warmup-epochs",
                                           "0",
                                           "--augment",
                                           "none",
                                           "--dropout",
                                           "0",
                                           "--evaluate-every",
                                           "6epochs",
                                           "--device",
                                           "cpu",
                                           "--threads",
                                           "1"}),
                              240);
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(trained.out.find("top-1"), std::string::npos) << trained.out;

  const auto steps = metrics_of(output, "step");
  const auto validations = metrics_of(output, "validation");
  ASSERT_FALSE(steps.empty());
  ASSERT_EQ(validations.size(), 2u);
  // 120 updates bring the training loss from ln 4 to about 0.4 and name 84 % of the training images; half way
  // there is proof enough that it learns, whatever the machine's rounding does to the path.
  EXPECT_LT(steps.back()["loss"].get<double>(), 0.9);
  const nlohmann::json settings =
      nlohmann::json::parse(read_file(std::filesystem::path(output) / "run.json"));
  EXPECT_TRUE(settings.is_object());

  // The checkpoint alone gives the same figures, at any number of ranks.
  const std::string checkpoint = std::filesystem::path(output) / "checkpoints" / "latest";
  const Outcome one =
      run({program, "evaluate", "--checkpoint", checkpoint, "--data", store, "--json", "--device", "cpu"});
  const Outcome three = run(on_ranks(
      3, {program, "evaluate", "--checkpoint", checkpoint, "--data", store, "--json", "--device", "cpu"}));
  ASSERT_EQ(one.code, 0) << one.err;
  ASSERT_EQ(three.code, 0) << three.err;
  const nlohmann::json alone = nlohmann::json::parse(one.out);
  const nlohmann::json shared = nlohmann::json::parse(three.out);
  EXPECT_EQ(alone["samples"], 40);
  EXPECT_EQ(shared["samples"], 40);
  // Batches of other sizes may be summed in another order: float rounding of a loss near 1.
  EXPECT_NEAR(alone["loss"].get<double>(), shared["loss"].get<double>(), 1e-4);
  EXPECT_NEAR(alone["loss"].get<double>(), validations.back()["loss"].get<double>(), 1e-4);
  EXPECT_EQ(alone["top1"], validations.back()["top1"]);
  const Outcome seen = run({program, "evaluate", "--checkpoint", checkpoint, "--data", store, "--split",
                            "train", "--json", "--device", "cpu"});
  ASSERT_EQ(seen.code, 0) << seen.err;
  EXPECT_GT(nlohmann::json::parse(seen.out)["top1"].get<double>(), 0.6);  // a guess is right once in four

  std::vector<std::string> command = {program, "predict", "--checkpoint", checkpoint, "--json", "--top", "2"};
  for (const auto& entry : std::filesystem::directory_iterator(images)) command.push_back(entry.path());
  ASSERT_EQ(command.size(), 7u + 4u);
  const Outcome named = run(command);
  ASSERT_EQ(named.code, 0) << named.err;
  EXPECT_EQ(occurrences(named.out, "\n"), 4);
  const nlohmann::json first = nlohmann::json::parse(named.out.substr(0, named.out.find('\n')));
  ASSERT_EQ(first["top"].size(), 2u);
  EXPECT_GE(first["top"][0]["probability"], first["top"][1]["probability"]);
}

TEST(WholeRun, ZeroStepsWriteTheInitialWeights) {
  const TemporaryFolder folder;
  make_tiny_store(program, folder / "store");
  const Outcome outcome = run(tiny_training(program, folder / "store", folder / "run", {"--steps", "0"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(folder / "run" / "checkpoints" / "step-000000000.h5"));
}

// One rank alone meets the image; the other waits for its gradients and must not wait for ever.
TEST(WholeRun, ADamagedImageOnOneRankEndsThemAll) {
  const TemporaryFolder folder;
  make_tiny_store(program, folder / "store");
  damage_an_image(folder / "store");
  const Outcome outcome =
      run(on_ranks(2, tiny_training(program, folder / "store", folder / "run", {"--epochs", "1"})), 60);
  EXPECT_EQ(outcome.code, 65) << outcome.err;
  EXPECT_NE(outcome.err.find("train-00000-"), std::string::npos) << outcome.err;
}

TEST(WholeRun, DivergenceEndsWithItsOwnCodeOnAllRanks) {
  const TemporaryFolder folder;
  make_tiny_store(program, folder / "store");
  const Outcome outcome = run(on_ranks(
      2, tiny_training(program, folder / "store", folder / "run", {"--lr", "1e20", "--epochs", "20"})));
  EXPECT_EQ(outcome.code, 76) << outcome.err;
}

}  // namespace
}  // namespace convoy::test
