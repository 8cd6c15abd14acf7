// Weights of other programs through the program: import, and directly where checkpoints are read.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/image_files.hpp"
#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

// A run's checkpoint and its export, for all tests of this file.
class Import : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    make_tiny_store(program, place("store"));
    ASSERT_EQ(run(tiny_training(program, place("store"), place("run"), {"--steps", "2"})).code, 0);
    for (const std::string name : {"net.pth", "net.safetensors"})
      ASSERT_EQ(run({program, "export", checkpoint(), "--output", place(name)}).code, 0);
    write_file(place("image.png"), png_bytes(Quadrants{}));
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string place(const std::string& name) { return *folder_ / name; }
  static std::string checkpoint() { return *folder_ / "run" / "checkpoints" / "latest"; }

  static Outcome import(const std::string& file, const std::string& output,
                        const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {program, "import", place(file), "--output", place(output)};
    command.insert(command.end(), more.begin(), more.end());
    return run(command);
  }

  static nlohmann::json answer(const std::string& weights) {
    const Outcome outcome =
        run({program, "predict", "--checkpoint", weights, "--json", "--device", "cpu", place("image.png")});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out, nullptr, false);
  }

 private:
  static std::unique_ptr<TemporaryFolder> folder_;
};

std::unique_ptr<TemporaryFolder> Import::folder_;

void expect_refused(const Outcome& outcome, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  for (const std::string& part : parts)
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << "\n" << outcome.err;
}

TEST_F(Import, AnExportComesBackBitForBit) {
  for (const std::string file : {"net.pth", "net.safetensors"}) {
    const Outcome imported = import(file, file + ".h5");
    ASSERT_EQ(imported.code, 0) << imported.err;
    for (const std::string part :
         {"alexnet-mini", "conv1.weight", "48 × 3 × 5 × 5", "conv1/weight", "fc8/bias"})
      EXPECT_NE(imported.out.find(part), std::string::npos) << part << "\n" << imported.out;
    ASSERT_EQ(run({program, "export", place(file + ".h5"), "--output", place("again.pth")}).code, 0);
    EXPECT_EQ(read_file(place("again.pth")), read_file(place("net.pth"))) << file;
  }
}

// Its safetensors names network, classes and input too, so that the answer is the same.
TEST_F(Import, PredictAndEvaluateTakeTheFileItself) {
  const nlohmann::json expected = answer(checkpoint());
  EXPECT_EQ(answer(place("net.safetensors")), expected);
  ASSERT_EQ(import("net.safetensors", "same.h5").code, 0);
  EXPECT_EQ(answer(place("same.h5")), expected);

  const auto evaluate = [](const std::string& weights) {
    const Outcome outcome = run({program, "evaluate", "--checkpoint", weights, "--data", place("store"),
                                 "--json", "--device", "cpu"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_EQ(evaluate(place("net.safetensors")), evaluate(checkpoint()));
  // A state dict names no classes, so that the store's are taken; its input is torchvision's.
  ASSERT_EQ(import("net.pth", "resized.h5", {"--resize", "64"}).code, 0);
  EXPECT_NE(evaluate(place("resized.h5")), evaluate(checkpoint()));
  expect_refused(run({program, "evaluate", "--checkpoint", place("net.pth"), "--data", place("store")}), 64,
                 {"72 × 72", "convoy import --resize 64"});
}

TEST_F(Import, ClassesAndImagesAreTheUsers) {
  write_file(place("classes.txt"), "red\ngreen\nblue\nyellow\n");
  ASSERT_EQ(import("net.pth", "named.h5",
                   {"--classes", place("classes.txt"), "--mean", "0.5", "--deviation", "0.5", "--fit", "pad"})
                .code,
            0);
  std::vector<std::string> names;
  const nlohmann::json named = answer(place("named.h5"));
  for (const auto& entry : named.at("top")) names.push_back(entry.at("name"));
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"blue", "green", "red", "yellow"}));
  ASSERT_EQ(import("net.pth", "of-store.h5", {"--classes", place("store"), "--resize", "64"}).code, 0);
  EXPECT_EQ(run({program, "evaluate", "--checkpoint", place("of-store.h5"), "--data", place("store")}).code,
            0);

  write_file(place("three.txt"), "red\ngreen\nblue\n");
  expect_refused(import("net.pth", "x.h5", {"--classes", place("three.txt")}), 64,
                 {"three.txt", "3 classes", "4 outputs"});
  expect_refused(import("net.pth", "x.h5", {"--mean", "1,2"}), 64, {"--mean", "'1,2'", "three"});
  expect_refused(import("net.pth", "x.h5", {"--mean", "300"}), 64, {"--mean", "'300'"});
  expect_refused(import("net.pth", "x.h5", {"--deviation", "0"}), 64, {"--deviation", "'0'"});
  expect_refused(import("net.pth", "x.h5", {"--mean", place("absent")}), 74, {"absent"});
  expect_refused(import("net.pth", "x.h5", {"--mean", place("net.pth")}), 65, {"net.pth", "mean image"});
  EXPECT_FALSE(std::filesystem::exists(place("x.h5")));
}

TEST_F(Import, FineTuningBeginsWithTheFile) {
  const auto train = [](const std::string& output, const std::vector<std::string>& more) {
    std::vector<std::string> options = {"--steps", "0"};
    options.insert(options.end(), more.begin(), more.end());
    return run(tiny_training(program, place("store"), place(output), options));
  };
  const Outcome same = train("tuned", {"--weights", place("net.pth")});
  ASSERT_EQ(same.code, 0) << same.err;
  EXPECT_NE((same.out + same.err).find("weights of all layers come from"), std::string::npos);
  const std::string tuned = place("tuned") + "/checkpoints/latest";
  ASSERT_EQ(run({program, "export", tuned, "--output", place("tuned.pth")}).code, 0);
  EXPECT_EQ(read_file(place("tuned.pth")), read_file(place("net.pth")));

  const Outcome more = train("more", {"--weights", place("net.pth"), "--classes", "9"});
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_NE((more.out + more.err).find("14 of 16 tensors come from"), std::string::npos) << more.err;
  const Outcome scaled = train("scaled", {"--weights", place("net.pth"), "--input-scale", "none"});
  EXPECT_NE((scaled.out + scaled.err).find("pass --input-scale 0.01735"), std::string::npos) << scaled.err;
  const Outcome unmoved = train("unmoved", {"--weights", place("net.pth"), "--input-mean", "none"});
  EXPECT_NE((unmoved.out + unmoved.err).find("pass --input-mean pixel"), std::string::npos) << unmoved.err;
}

TEST_F(Import, NothingCanBeResumed) {
  ASSERT_EQ(import("net.pth", "weights.h5").code, 0);
  for (const std::string file : {"weights.h5", "net.pth", "net.safetensors"})
    expect_refused(run(tiny_training(program, place("store"), place("resumed"), {"--resume", place(file)})),
                   64, {file, "weights alone", "--weights"});
}

TEST_F(Import, RefusalsNameTheRemedy) {
  expect_refused(run({program, "import", place("net.pth")}), 64, {"--output CHECKPOINT is missing"});
  expect_refused(run({program, "import", "--output", place("x.h5")}), 64, {"FILE"});
  expect_refused(import("net.pth", "store"), 64, {"is a folder"});
  write_file(place("precious.h5"), "kept");
  expect_refused(import("net.pth", "precious.h5"), 64, {"precious.h5 exists", "--replace"});
  EXPECT_EQ(read_file(place("precious.h5")), "kept");
  EXPECT_EQ(import("net.pth", "precious.h5", {"--replace"}).code, 0);
  expect_refused(import("absent.pth", "x.h5"), 74, {"absent.pth"});
  expect_refused(import("image.png", "x.h5"), 65, {"image.png", "safetensors"});
  expect_refused(run({program, "predict", "--checkpoint", place("image.png"), place("image.png")}), 65,
                 {"image.png", "neither a checkpoint of Convoy nor weights of PyTorch"});
  expect_refused(run({program, "import", checkpoint(), "--output", place("x.h5")}), 65, {"need no import"});
  expect_refused(import("net.pth", "x.h5", {"--model", "alexnet-owt"}), 64,
                 {"--model alexnet-owt", "64 × 3 × 11 × 11", "48 × 3 × 5 × 5"});
  expect_refused(import("net.pth", "x.h5", {"--crop", "32"}), 64, {"alexnet-mini accepts only 64×64"});
  expect_refused(import("net.pth", "no/such/folder/x.h5"), 74, {"no/such/folder"});
  write_file(place("torn.pth"), read_file(place("net.pth")).substr(0, 100'000));
  expect_refused(import("torn.pth", "x.h5"), 65, {"torn.pth"});
  expect_refused(run({program, "predict", "--checkpoint", place("torn.pth"), place("image.png")}), 65,
                 {"torn.pth"});
  EXPECT_FALSE(std::filesystem::exists(place("x.h5")));
}

}  // namespace
}  // namespace convoy::test
