// What the program says of GPUs, through the real binary: without module, without device, and with devices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/host_name.hpp"
#include "support/built_file.hpp"
#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = built_file(CONVOY_PROGRAM);

void expect_words(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words) EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
}

int count_gpus(const std::vector<std::string>& environment = {}) {
  const Outcome outcome = Process({program, "doctor", "--count-gpus"}, environment).wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return std::stoi(outcome.out);
}

class Devices : public testing::Test {
 protected:
  void SetUp() override { make_tiny_store(program, folder_ / "store"); }

  Outcome train(int ranks, const std::string& device, const std::vector<std::string>& environment) {
    const auto command =
        tiny_training(program, folder_ / "store", folder_ / "run", {"--steps", "1", "--device", device});
    return Process(ranks == 1 ? command : on_ranks(ranks, command), environment).wait();
  }

  TemporaryFolder folder_;
};

TEST_F(Devices, WithoutAModuleTheReasonIsGiven) {
  const std::vector<std::string> environment = {"CONVOY_CUDA_MODULE=/nowhere/libconvoy_cuda.so"};
  EXPECT_EQ(count_gpus(environment), 0);
  const Outcome doctor = Process({program, "doctor"}, environment).wait();
  EXPECT_EQ(doctor.code, 0) << doctor.err;
  expect_words(doctor.out, {"none", "/nowhere/libconvoy_cuda.so", "rank 0: CPU"});
  const Outcome cuda = train(1, "cuda", environment);
  EXPECT_EQ(cuda.code, 64);
  expect_words(cuda.err, {"--device cuda", "/nowhere/libconvoy_cuda.so", "--device cpu"});
  const Outcome automatic = train(1, "auto", environment);
  EXPECT_EQ(automatic.code, 0) << automatic.err;
}

// No driver, or one that offers this process nothing.
TEST_F(Devices, WithoutAGpuTheReasonIsGiven) {
  const std::vector<std::string> environment = {"CUDA_VISIBLE_DEVICES="};
  EXPECT_EQ(count_gpus(environment), 0);
  const Outcome cuda = train(2, "cuda", environment);
  EXPECT_EQ(cuda.code, 64);
  expect_words(cuda.err, {"--device cuda", "--device cpu", host_name()});
  if (std::getenv("CONVOY_CUDA_MODULE") != nullptr) expect_words(cuda.err, {"driver"});
  EXPECT_EQ(train(2, "auto", environment).code, 0);
}

// The rank that told it first ends the others; the message stands once.
TEST_F(Devices, TwoRanksOfOneGpuAreRefused) {
  if (count_gpus() == 0) GTEST_SKIP() << "this machine has no GPU that Convoy can use";
  const Outcome outcome = train(2, "cuda", {"CUDA_VISIBLE_DEVICES=0"});
  EXPECT_EQ(outcome.code, 64) << outcome.err;
  expect_words(outcome.err, {"2 ranks run on", "GPU-", "--device cpu"});
}

TEST_F(Devices, DoctorListsGpus) {
  const int count = count_gpus();
  if (count == 0) GTEST_SKIP() << "this machine has no GPU that Convoy can use";
  EXPECT_EQ(count_gpus({"CUDA_VISIBLE_DEVICES=0"}), 1);
  const int ranks = std::min(count, 2);
  const Outcome doctor = run(on_ranks(ranks, {program, "doctor"}));
  EXPECT_EQ(doctor.code, 0) << doctor.err;
  expect_words(doctor.out, {"CUDA runtime", "cuDNN", "NCCL", "compute capability", "GiB free", "rank 0: "});
  EXPECT_EQ(doctor.out.find("rank 0: CPU"), std::string::npos) << doctor.out;
}

TEST_F(Devices, FeatureMapsComeFromTheGpu) {
  if (count_gpus() == 0) GTEST_SKIP() << "this machine has no GPU that Convoy can use";
  ASSERT_EQ(train(1, "cpu", {}).code, 0);
  const std::string exported = folder_ / "images";
  ASSERT_EQ(run({program, "synthesize", folder_ / "other", "--classes", "2", "--images", "2", "--val-images",
                 "2", "--image-size", "64", "--export", exported, "--export-images", "1"})
                .code,
            0);
  std::string image;
  for (const auto& entry : std::filesystem::directory_iterator(exported)) image = entry.path();
  for (const std::string layer : {"conv1", "fc8"}) {
    const std::string picture = folder_ / (layer + ".png");
    const Outcome outcome =
        run({program, "visualize", "features", "--checkpoint", folder_ / "run" / "checkpoints" / "latest",
             "--device", "cuda", "--layer", layer, "--output", picture, image});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(std::filesystem::exists(picture));
  }
}

}  // namespace
}  // namespace convoy::test
