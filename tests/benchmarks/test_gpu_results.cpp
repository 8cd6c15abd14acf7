// What benchmarks/gpu/run makes of its programs' results, and how benchmark_gpu_step takes turns with another
// program.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "gpu/page_tables.hpp"
#include "gpu/peer.hpp"
#include "gpu/records.hpp"
#include "gpu/results.hpp"
#include "gpu/run_folder.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::gpu_benchmark {
namespace {

std::string printed(const std::function<void()>& print) {
  testing::internal::CaptureStdout();
  print();
  return testing::internal::GetCapturedStdout();
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const Json* find(const Json& results, const std::string& id) {
  for (const Json& entry : results["entries"])
    if (entry["id"] == id) return &entry;
  return nullptr;
}

class GpuResults : public testing::Test {
 protected:
  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "records.jsonl";
  Records records_{file_};
};

TEST_F(GpuResults, TheLastOfRepeatedMeasurementsCounts) {
  records_.entry("facts/copy", 1, "GB/s", "higher");
  records_.entry("facts/product/bf16", 5, "TFLOP/s", "higher");
  records_.entry("facts/copy", 2, "GB/s", "higher", {{"data_sheet", 3}});
  const Json results = gather_results(file_);
  ASSERT_EQ(results["entries"].size(), 2U);
  EXPECT_EQ(results["entries"][0]["id"], "facts/copy");
  EXPECT_EQ(results["entries"][0]["value"], 2.0);
  EXPECT_EQ(results["entries"][0]["data_sheet"], 3);
}

TEST_F(GpuResults, ATornLineIsLeftOut) {
  records_.entry("facts/copy", 1, "GB/s", "higher");
  std::ofstream(file_, std::ios::app) << R"({"kind": "entry", "id": "step)";
  EXPECT_EQ(gather_results(file_)["entries"].size(), 1U);
}

// The script that runs the programs quotes what they say when they fail: colours of a terminal, and a text
// that was cut within a letter.
TEST_F(GpuResults, ALineWithBytesThatJsonForbidsIsKept) {
  std::ofstream(file_, std::ios::app)
      << "{\"kind\": \"part\", \"name\": \"Tests\", \"outcome\": \"failed\", \"seconds\": 3, \"reason\": "
         "\"\033[31mred\x01 \xe2\x80\"}\n";
  const Json results = gather_results(file_);
  ASSERT_EQ(results["parts"].size(), 1U);
  const std::string parts = printed([&] { print_parts(results); });
  EXPECT_TRUE(contains(parts, "| Tests | failed | 3 |  [31mred")) << parts;
}

TEST_F(GpuResults, EveryKindHasItsPlace) {
  records_.add({{"kind", "run"}, {"begun", "2026-01-01 00:00"}});
  records_.add({{"kind", "device"}, {"name", "a GPU"}});
  records_.add({{"kind", "part"},
                {"name", "Tests"},
                {"outcome", "skipped"},
                {"seconds", 0},
                {"reason", "no time left"}});
  records_.add({{"kind", "note"}, {"text", "a note"}});
  const Json results = gather_results(file_);
  EXPECT_EQ(results["format"], 1);
  EXPECT_EQ(results["run"]["begun"], "2026-01-01 00:00");
  EXPECT_EQ(results["device"]["name"], "a GPU");
  EXPECT_EQ(results["notes"][0], "a note");
  const std::string parts = printed([&] { print_parts(results); });
  EXPECT_TRUE(contains(parts, "| Tests | skipped | 0 | no time left |")) << parts;
}

TEST_F(GpuResults, AStepStandsBesideTheBestPeerOfItsOwnAlternation) {
  records_.entry("step/alexnet/bf16/256/convoy", 200, "images/s", "higher",
                 {{"step_seconds", 1.28}, {"floor_seconds", 0.64}, {"floor_share", 0.5}, {"graph", true}});
  records_.entry("step/alexnet/bf16/256/peer-eager", 50, "images/s", "higher", {{"convoy_speed_ratio", 4.0}});
  records_.entry("step/alexnet/bf16/256/peer-graphs", 80, "images/s", "higher",
                 {{"convoy_speed_ratio", 2.25}});
  const Json results = gather_results(file_);
  const std::string steps = printed([&] { print_steps(results); });
  EXPECT_TRUE(contains(steps, "## Training steps of `alexnet`")) << steps;
  // 200 ÷ 80 would be 2.5: the ratio measured in one alternation is printed instead.
  EXPECT_TRUE(contains(steps, "| bf16 | 256 | 200 | 1280.000 | 640.000 | 50 % | yes | 80 | graphs | 2.25 |"))
      << steps;
}

TEST_F(GpuResults, AComparisonSaysWhatBecameBetterAndListsTheLargestChangeFirst) {
  Records(folder_ / "old").entry("step/alexnet/bf16/256/convoy", 100, "images/s", "higher");
  Records(folder_ / "old").entry("kernel/256/SGD", 30, "us", "lower");
  Records(folder_ / "old").entry("kernel/256/gone", 30, "us", "lower");
  Records(folder_ / "old").add({{"kind", "device"}, {"name", "one GPU"}});
  records_.entry("step/alexnet/bf16/256/convoy", 110, "images/s", "higher");
  records_.entry("kernel/256/SGD", 60, "us", "lower");
  records_.add({{"kind", "device"}, {"name", "another GPU"}});
  const std::string text =
      printed([&] { print_comparison(gather_results(folder_ / "old"), gather_results(file_)); });
  const std::size_t kernel = text.find("| kernel/256/SGD | us | 30 | 60 | 2.000 | 0.500 |");
  const std::size_t step =
      text.find("| step/alexnet/bf16/256/convoy | images/s | 100 | 110 | 1.100 | 1.100 |");
  ASSERT_NE(kernel, std::string::npos) << text;
  ASSERT_NE(step, std::string::npos) << text;
  EXPECT_LT(kernel, step);
  EXPECT_FALSE(contains(text, "gone"));
  EXPECT_TRUE(contains(text, "Another device"));
}

TEST_F(GpuResults, AnotherFileIsNotCompared) {
  for (const char* text :
       {"", "[]", R"({"entries": []})", R"({"format": "1", "entries": []})", R"({"format": 1})",
        R"({"format": 1, "entries": 5})", R"({"format": 1, "entries": [5]})"}) {
    write(folder_ / "other.json", text);
    test::expect_error(ExitCode::bad_data, {"not a gpu.json"}, [&] { read_results(folder_ / "other.json"); });
  }
  write(folder_ / "other.json", R"({"format": 1, "entries": [{"id": "a"}], "device": 3})");
  records_.entry("facts/copy", 1, "GB/s", "higher");
  EXPECT_TRUE(contains(
      printed([&] { print_comparison(read_results(folder_ / "other.json"), gather_results(file_)); }),
      "an earlier run on an unknown device"));
}

TEST_F(GpuResults, ATrainingRunGivesItsSpeedAndItsDecisions) {
  write(
      folder_ / "metrics.jsonl",
      R"({"kind": "event", "what": "start"})"
      "\n"
      R"({"kind": "step", "step": 50, "loss": 2.0, "images_per_second": 10.0, "seconds": {"input": 0.1, "forward": 0.4}})"
      "\n"
      R"({"kind": "step", "step": 100, "loss": 1.5, "images_per_second": 20.0, "seconds": {"input": 0.1, "forward": 0.3}})"
      "\n");
  write(folder_ / "run.json",
        R"({"tuning": [{"what": "fc8", "key": "o", "chosen": "plain", "source": "only", "trials": []},
            {"what": "conv2, forward", "key": "k", "chosen": "graph 3", "source": "measured", "trials": [
            {"name": "graph 3", "outcome": "chosen", "milliseconds": 0.25, "difference": 0},
            {"name": "legacy 1", "outcome": "slower", "milliseconds": 0.5, "difference": 1e-3},
            {"name": "split", "outcome": "wrong", "milliseconds": 0, "difference": 0.7},
            {"name": "broken", "outcome": "wrong", "milliseconds": 0, "difference": null},
            {"name": "absent", "outcome": "refused", "milliseconds": 0, "difference": 0}]}]})");
  add_training(records_, "alexnet/bf16/256", folder_.path());
  const Json results = gather_results(file_);
  ASSERT_NE(find(results, "train/alexnet/bf16/256"), nullptr);
  EXPECT_EQ((*find(results, "train/alexnet/bf16/256"))["value"], 20.0);
  EXPECT_TRUE(contains(printed([&] { print_trainings(results); }), "| alexnet/bf16/256 | 20 | 100.000 |"));
  const std::string tuning = printed([&] { print_tuning(results); });
  EXPECT_TRUE(contains(
      tuning,
      "| conv2, forward | graph 3 0.2500 ms | measured | legacy 1 0.5000, split – (wrong by 7.0e-01), "
      "broken – (not finite), absent – (refused) |"))
      << tuning;
  EXPECT_TRUE(contains(tuning, "\n1 further operations")) << tuning;
  EXPECT_FALSE(contains(tuning, "fc8")) << tuning;
}

TEST_F(GpuResults, LossesAreComparedStepByStep) {
  std::filesystem::create_directories(folder_ / "cpu");
  std::filesystem::create_directories(folder_ / "bf16");
  const auto steps = [](const std::vector<double>& losses) {
    std::string text;
    for (const double loss : losses) text += Json({{"kind", "step"}, {"loss", loss}}).dump() + "\n";
    return text;
  };
  write(folder_ / "cpu" / "metrics.jsonl", steps({2, 2, 4, 1}));
  write(folder_ / "bf16" / "metrics.jsonl", steps({2, 2.5, 4, 2}));
  add_losses(records_, "alexnet", {"cpu", folder_ / "cpu"}, {{"bf16", folder_ / "bf16"}});
  const Json results = gather_results(file_);
  const Json* entry = find(results, "loss/alexnet/bf16");
  ASSERT_NE(entry, nullptr);
  EXPECT_DOUBLE_EQ((*entry)["value"], 0.25);  // step 2
  EXPECT_DOUBLE_EQ((*entry)["difference_all"], 1.0);
}

TEST(GpuPeer, TakesTurnsAndSkipsWhatIsNoAnswer) {
  Peer peer(
      R"(sh -c 'echo "a warning"; echo "{\"ready\": true, \"what\": \"a peer\"}"; while read -r line; do echo "{\"seconds\": {\"eager\": 0.5}}"; done')");
  ASSERT_TRUE(peer.wait_ready(30)) << peer.why();
  EXPECT_EQ(peer.greeting()["what"], "a peer");
  for (int turn = 0; turn < 2; ++turn) EXPECT_EQ(peer.measure(30).at("eager"), 0.5);
}

TEST(GpuPeer, SaysWhyThereIsNone) {
  Peer refusing(R"(echo '{"error": "sees no GPU"}')");
  EXPECT_FALSE(refusing.wait_ready(30));
  EXPECT_EQ(refusing.why(), "sees no GPU");
  Peer missing("/nowhere/python3 2>/dev/null");
  EXPECT_FALSE(missing.wait_ready(30));
  EXPECT_TRUE(contains(missing.why(), "ended early")) << missing.why();
  Peer silent("sleep 60");
  EXPECT_FALSE(silent.wait_ready(0.05));
  EXPECT_TRUE(contains(silent.why(), "did not answer")) << silent.why();
}

TEST(GpuPeer, OneThatEndsAfterItWasReadyIsNoSignal) {
  Peer peer(R"(echo '{"ready": true}')");
  ASSERT_TRUE(peer.wait_ready(30)) << peer.why();
  EXPECT_TRUE(peer.measure(30).empty());
  EXPECT_TRUE(peer.measure(30).empty());
  EXPECT_FALSE(peer.why().empty());
}

}  // namespace
}  // namespace convoy::gpu_benchmark
