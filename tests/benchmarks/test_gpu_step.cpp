// benchmark_gpu_step on a device: what it keeps of a row when something is refused.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "gpu/records.hpp"
#include "gpu/results.hpp"
#include "support/built_file.hpp"
#include "support/process.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::gpu_benchmark {
namespace {

class GpuStep : public testing::Test {
 protected:
  void SetUp() override {
    if (test::run({test::built_file(CONVOY_PROGRAM), "doctor", "--count-gpus"}).out == "0\n")
      GTEST_SKIP() << "there is no GPU";
  }

  // The results of one tiny row.
  Json measure(const std::vector<std::string>& more, const std::vector<std::string>& environment = {}) {
    std::vector<std::string> command = {
        test::built_file(GPU_STEP), "--small", "--precisions", "bf16", "--json", file_.string()};
    command.insert(command.end(), more.begin(), more.end());
    test::Process process(command, environment);
    const test::Outcome outcome = process.wait();
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return gather_results(file_);
  }

  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "records.jsonl";
};

TEST_F(GpuStep, StandsBesideAPeerThatTakesTurns) {
  const Json results = measure(
      {"--peer",
       R"(sh -c 'echo "{\"ready\": true}"; while read -r l; do echo "{\"seconds\": {\"{model}-{batch}\": 2}}"; done')"});
  ASSERT_EQ(results["entries"].size(), 2U);
  const Json &convoy = results["entries"][0], &peer = results["entries"][1];
  EXPECT_EQ(convoy["id"], "step/alexnet-mini/bf16/2/convoy");
  EXPECT_EQ(convoy["graph"], true);
  EXPECT_EQ(peer["id"], "step/alexnet-mini/bf16/2/peer-alexnet-mini-2");
  EXPECT_EQ(peer["value"], 1.0);  // 2 images in 2 s
  EXPECT_DOUBLE_EQ(peer["convoy_speed_ratio"], 2 / convoy["step_seconds"].get<double>());
}

TEST_F(GpuStep, ARefusedRecordingAndAPeerThatFailsCostOnlyThemselves) {
  const Json results = measure({"--peer", R"(echo '{"error": "sees no GPU"}')"},
                               {"LD_PRELOAD=" + test::built_file(REFUSED_GRAPHS)});
  ASSERT_EQ(results["entries"].size(), 1U);
  EXPECT_EQ(results["entries"][0]["graph"], false);
  EXPECT_GT(results["entries"][0]["step_seconds"], 0.0);
  ASSERT_EQ(results["notes"].size(), 1U);
  EXPECT_EQ(results["notes"][0], "step/alexnet-mini/bf16/2/peer: sees no GPU");
}

}  // namespace
}  // namespace convoy::gpu_benchmark
