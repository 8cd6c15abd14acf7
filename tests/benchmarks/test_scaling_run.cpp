// benchmarks/scaling/run: its order, what it keeps and does again, what it does when a point fails or a
// signal arrives, all with a stand-in for mpirun; and once with the real program.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/process.hpp"

namespace convoy::test {
namespace {

const std::string script = SCALING_RUN;

// Stands in for mpirun: notes that it was started, and writes what `convoy train` and benchmark_allreduce
// would write, 16 images a step of 10 ms. Its folder holds `fail` (a pattern of command lines that fail) and
// `slow` where wanted.
constexpr const char* mpirun = R"sh(#!/bin/bash
here=$(dirname "$0")
[ "$1" != --version ] || exit 0
echo "$*" >>"$here/started"
if [ -e "$here/fail" ] && [[ "$*" == $(cat "$here/fail") ]]; then
  echo "convoy: the device failed (error 3)" >&2
  exit 71
fi
while [ $# -gt 0 ]; do
  case $1 in --output) output=$2 ;; --steps) steps=$2 ;; --json) json=$2 ;; --trace) trace=$2 ;; esac
  shift
done
if [ -n "${json:-}" ]; then echo '{"rows": [{"busbw": 2.5}]}' >"$json"; exit; fi
if [ -e "$here/slow" ]; then
  trap 'exit 75' USR1
  sleep 30 & wait
fi
mkdir -p "$output"
echo '{"parameters": 1000, "topology": {"nodes": 1, "threads_per_rank": 1, "device": "CPU"}, "versions": {}}' >"$output/run.json"
for ((step = 1; step <= steps; ++step)); do
  echo "{\"kind\":\"step\",\"step\":$step,\"samples\":16,\"images_per_second\":1600,\"seconds\":{\"forward\":0.01}}"
done >"$output/metrics.jsonl"
[ -z "${trace:-}" ] || echo '{}' >"$trace"
)sh";

class ScalingRun : public testing::Test {
 protected:
  ScalingRun() {
    std::ofstream(folder_ / "mpirun") << mpirun;
    std::filesystem::permissions(folder_ / "mpirun", std::filesystem::perms::owner_all);
    // A build whose `convoy` knows only that the machine has two cores and no GPU.
    const std::filesystem::path benchmarks = folder_ / "build" / "benchmarks";
    std::filesystem::create_directories(benchmarks / "scaling");
    std::filesystem::create_directories(benchmarks / "allreduce");
    std::filesystem::create_symlink(SCALING_PAGE, benchmarks / "scaling" / "benchmark_scaling_page");
    const std::string convoy = "#!/bin/sh\n[ \"$2\" != --count-cores ] || echo 2\n";
    for (const std::filesystem::path& program :
         {folder_ / "build" / "convoy", benchmarks / "allreduce" / "benchmark_allreduce"}) {
      std::ofstream(program) << convoy;
      std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    }
    // As if the images were drawn already.
    std::filesystem::create_directories(output() / "store-72x10");
    std::ofstream(output() / "store-72x10" / "store.json") << "{}";
    std::ofstream(output() / "store-72x10.images") << "4096\n";
  }

  std::filesystem::path output() const { return folder_ / "out"; }

  std::vector<std::string> command(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {script, "--output", output().string()};
    for (const char* word : {"--models", "alexnet-mini", "--batch", "16", "--device", "cpu", "--threads", "1",
                             "--repeat", "2", "--seconds", "0.1"})
      words.emplace_back(word);
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  std::vector<std::string> environment() const {
    return {"PATH=" + folder_.path().string() + ":" + std::getenv("PATH"),
            "CONVOY_BUILD=" + (folder_ / "build").string()};
  }

  // Runs the script; its output is shown where the code is another.
  void expect_code(int code, const std::vector<std::string>& more) {
    const Outcome outcome = Process(command(more), environment()).wait();
    EXPECT_EQ(outcome.code, code) << outcome.out << outcome.err;
  }

  // Command lines since the last call.
  std::vector<std::string> started() {
    std::vector<std::string> lines;
    std::istringstream text(read_file(folder_ / "started"));
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    std::filesystem::remove(folder_ / "started");
    return lines;
  }

  TemporaryFolder folder_;
};

TEST_F(ScalingRun, RepeatsTakeTurnsAndFinishedOnesAreKept) {
  expect_code(0, {"--ranks", "2,1"});
  const std::vector<std::string> first = started();
  // Each point's probe and repeat, the sums of two ranks, and the second repeats.
  ASSERT_EQ(first.size(), 7U);
  const auto has = [](const std::string& line, const char* part) {
    return line.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(first[0], "-n 1 ") && has(first[0], "--trace ")) << first[0];
  EXPECT_TRUE(has(first[1], "-n 1 ") && has(first[1], "--steps 12 ")) << first[1];
  EXPECT_TRUE(has(first[3], "-n 2 ") && has(first[3], "--global-batch 32 ")) << first[3];
  EXPECT_TRUE(has(first[4], "allreduce --min-bytes 8M")) << first[4];
  EXPECT_TRUE(has(first[5], "-n 1 ") && has(first[6], "-n 2 "));
  for (const char* file : {"scaling.json", "scaling.csv", "scaling.md", "throughput.svg", "throughput.png",
                           "steps.svg", "steps.png"})
    EXPECT_GT(std::filesystem::file_size(output() / file), 100U) << file;
  EXPECT_NE(read_file(output() / "scaling.md").find("| 1,600 |"), std::string::npos);

  expect_code(0, {"--ranks", "2,1"});
  EXPECT_TRUE(started().empty());
  expect_code(0, {"--ranks", "1,2,4"});
  EXPECT_EQ(started().size(), 4U);  // the new point and its sums
  expect_code(0, {"--ranks", "1,2,4", "--", "--momentum", "0.8"});
  EXPECT_EQ(started().size(), 9U);  // another command: the points again, not the sums
}

TEST_F(ScalingRun, AFailedPointIsMarkedAndTriedAgain) {
  std::ofstream(folder_ / "fail") << "*-n 2 *train*--steps 12 *";
  expect_code(1, {"--ranks", "1,2"});
  EXPECT_EQ(started().size(), 5U);  // not its second repeat
  const std::string page = read_file(output() / "scaling.md");
  EXPECT_NE(page.find("**failed**"), std::string::npos);
  EXPECT_NE(page.find("code 71: convoy: the device failed"), std::string::npos) << page;
  std::filesystem::remove(folder_ / "fail");
  expect_code(0, {"--ranks", "1,2"});
  EXPECT_EQ(started().size(), 3U);  // two repeats and the sums
  EXPECT_EQ(read_file(output() / "scaling.md").find("failed**"), std::string::npos);
}

TEST_F(ScalingRun, ASignalKeepsWhatIsFinished) {
  expect_code(0, {"--ranks", "1"});
  started();
  std::ofstream(folder_ / "slow") << "";
  Process process(command({"--ranks", "1,2"}), environment());
  ASSERT_TRUE(process.wait_for_output("x2-g32: choosing"));
  const auto waiting = std::filesystem::path(folder_ / "started");
  for (int tries = 0; tries < 200 && !std::filesystem::exists(waiting); ++tries) usleep(20'000);
  ::kill(process.id(), SIGTERM);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 143) << outcome.err;
  EXPECT_NE(read_file(output() / "scaling.md").find("not measured yet"), std::string::npos);
  started();
  std::filesystem::remove(folder_ / "slow");
  expect_code(0, {"--ranks", "1,2"});
  EXPECT_EQ(started().size(), 4U);
}

TEST_F(ScalingRun, PartsOfOneBenchmark) {
  expect_code(0, {"--ranks", "1,2", "--part", "2"});
  EXPECT_EQ(started().size(), 4U);
  EXPECT_FALSE(std::filesystem::exists(output() / "scaling.md"));
  expect_code(0, {"--ranks", "1,2", "--part", "1"});
  expect_code(0, {"--ranks", "1,2", "--page-only"});
  EXPECT_EQ(started().size(), 3U);
  const std::string page = read_file(output() / "scaling.md");
  EXPECT_EQ(page.find("failed**"), std::string::npos);
  EXPECT_EQ(page.find("--part"), std::string::npos);
}

TEST_F(ScalingRun, HostsGetAsManyRanksAsThePointHas) {
  std::ofstream(folder_ / "hosts") << "# two nodes\nnodea slots=3\nnodeb slots=2\n";
  expect_code(0, {"--ranks", "1,4", "--hosts", (folder_ / "hosts").string()});
  EXPECT_EQ(read_file(output() / "hosts" / "x4"), "nodea slots=3\nnodeb slots=1\n");
  EXPECT_EQ(read_file(output() / "hosts" / "x1"), "nodea slots=1\n");
  expect_code(64, {"--ranks", "8", "--hosts", (folder_ / "hosts").string()});
}

TEST_F(ScalingRun, MistakesAreRefused) {
  expect_code(64, {});
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--ranks", "0"},
                                             {"--ranks", "1", "--repeat", "x"},
                                             {"--ranks", "1", "--seconds", "-1"},
                                             {"--ranks", "1", "--mode", "both ways"},
                                             {"--ranks", "1", "--models", "resnet"},
                                             {"--ranks", "1", "--precision", "fp8"},
                                             {"--ranks", "1", "--data", "/nowhere"},
                                             {"--ranks", "1", "--launcher", "srun"},
                                             {"--ranks"},
                                             {"--speed"}})
    expect_code(64, words);
  EXPECT_TRUE(started().empty());
}

// The real program on one and two ranks.
TEST(ScalingRunWhole, MeasuresTraining) {
  const TemporaryFolder folder;
  const Outcome outcome =
      Process({script, "--output", (folder / "out").string(), "--ranks", "1,2", "--models", "alexnet-mini",
               "--batch", "8", "--device", "cpu", "--threads", "1", "--repeat", "1", "--seconds", "0.3"},
              {"CONVOY_BUILD=" + std::string(CONVOY_BUILD)})
          .wait();
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  const auto json = nlohmann::json::parse(read_file(folder / "out" / "scaling.json"));
  ASSERT_EQ(json["points"].size(), 2U);
  const auto& two = json["points"][1];
  for (const char* key : {"images_per_second", "step_seconds", "summing_seconds", "bus_in_step", "bus_alone"})
    EXPECT_GT(two[key].get<double>(), 0) << key;
  EXPECT_GT(two["seconds"]["backward"].get<double>(), 0);
  EXPECT_TRUE(two["failure"].is_null());
  EXPECT_FALSE(std::filesystem::exists(folder / "out" / "points" / "alexnet-mini-fp32-drawn-x2-g16" / "run"));
}

}  // namespace
}  // namespace convoy::test
