// --stage through the real program, where jobs and disks go wrong: killed in mid-copy, two jobs at a time, a
// disk that is full before or fills up meanwhile.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

const std::string program = CONVOY_PROGRAM;

class Staging : public testing::Test {
 protected:
  Staging() {
    make_tiny_store(program, folder_ / "store");
    fs::create_directory(folder_ / "local");
  }
  std::vector<std::string> training(const std::string& output,
                                    const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command =
        tiny_training(program, folder_ / "store", folder_ / output, {"--stage", folder_ / "local"});
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  // Every read takes a while, so that a copy takes some seconds.
  static std::vector<std::string> slow_disk(int milliseconds) {
    return {preloading(CONVOY_SLOW_READS), fmt::format("SLOW_READS_MILLISECONDS={}", milliseconds)};
  }
  nlohmann::json stage_of(const std::string& output) const {
    return nlohmann::json::parse(read_file(folder_ / output / "run.json"))["stage"];
  }
  // The newest files with this extension among the copies.
  std::vector<fs::path> copies(const std::string& extension) const {
    std::vector<fs::path> found;
    std::error_code vanished;  // a file is renamed while we look
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "local", vanished))
      if (entry.path().extension() == extension) found.push_back(entry.path());
    return found;
  }
  void expect_copies_are_whole() const {
    for (const fs::path& copy : copies(".h5"))
      EXPECT_EQ(read_file(copy), read_file(folder_ / "store" / copy.filename())) << copy;
  }
  std::string checkpoint(const std::string& output) const {
    return read_file(folder_ / output / "checkpoints" / "latest");
  }
  template <typename Condition>
  static void wait_until(Condition&& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(done());
  }

  TemporaryFolder folder_;
};

TEST_F(Staging, AJobKilledInMidCopyLeavesNothingThatIsTakenForWhole) {
  ASSERT_EQ(run(tiny_training(program, folder_ / "store", folder_ / "plain")).code, 0);
  {
    Process killed(training("run", {"--epochs", "1000"}), slow_disk(30));
    wait_until([&] { return !copies(".h5").empty() && !copies(".partial").empty(); });
    killed.signal(SIGKILL);
    killed.wait();
  }
  EXPECT_FALSE(copies(".partial").empty());
  const std::size_t whole = copies(".h5").size();
  expect_copies_are_whole();
  const Outcome next = run(training("next"));
  ASSERT_EQ(next.code, 0) << next.err;
  EXPECT_NE(next.err.find("staged 6 shards"), std::string::npos) << next.err;
  EXPECT_NE(next.err.find("there already"), std::string::npos) << next.err;
  EXPECT_LT(stage_of("next")["copied_bytes"], stage_of("next")["bytes"]);
  EXPECT_GE(whole, 1U);
  EXPECT_TRUE(copies(".partial").empty());
  EXPECT_EQ(copies(".h5").size(), 6U);
  expect_copies_are_whole();
  EXPECT_TRUE(checkpoint("next") == checkpoint("plain"));
}

TEST_F(Staging, TwoJobsAtATimeShareOneCopy) {
  Process first(on_ranks(2, training("first")), slow_disk(3)), second(training("second"), slow_disk(3));
  EXPECT_EQ(first.wait().code, 0) << first.err();
  EXPECT_EQ(second.wait().code, 0) << second.err();
  const nlohmann::json one = stage_of("first"), two = stage_of("second");
  EXPECT_LE(one["copied_bytes"].get<std::int64_t>() + two["copied_bytes"].get<std::int64_t>(),
            one["bytes"].get<std::int64_t>());
  expect_copies_are_whole();
  EXPECT_TRUE(copies(".partial").empty());
  const Outcome third = run(training("third"));
  EXPECT_NE(third.err.find("there already"), std::string::npos) << third.err;
  EXPECT_TRUE(checkpoint("third") == checkpoint("second"));
}

// 64 images in four shards: two for each node.
TEST_F(Staging, ANodeCopiesOnlyTheShardsThatItsRanksRead) {
  const std::string script = fmt::format(R"(
    . {}/tests/system/hosts/hosts.bash
    trap hosts_down EXIT
    hosts_available || {{ echo "$hosts_missing"; exit 77; }}
    hosts_own={}
    hosts_up 2 || exit 1
    on_hosts() {{ host_run 1 mpirun --hostfile "$hosts_file" --map-by slot --bind-to none "$@" >&2; }}
    on_hosts "$@" --output {}/plain && on_hosts "$@" --output {}/run --stage $hosts_own || exit
    for host in 1 2; do
      find "$hosts_folder/node$host/own$hosts_own" -name '*.h5' -printf "node$host %f\n" | sort
    done)",
                                         CONVOY_SOURCE, (folder_ / "local").string(), folder_.path().string(),
                                         folder_.path().string());
  std::vector<std::string> command = {"bash", "-c", script, "bash"};
  for (const std::string& word :
       tiny_training(program, folder_ / "store", folder_ / "unused", {"--shuffle", "node"}))
    command.push_back(word);
  const Outcome outcome = run(command);
  if (outcome.code == 77) GTEST_SKIP() << outcome.out;
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "node1 train-00000-of-00004.h5\nnode1 train-00001-of-00004.h5\n"
            "node1 val-00000-of-00002.h5\nnode1 val-00001-of-00002.h5\n"
            "node2 train-00002-of-00004.h5\nnode2 train-00003-of-00004.h5\n"
            "node2 val-00000-of-00002.h5\nnode2 val-00001-of-00002.h5\n");
  const nlohmann::json stage = stage_of("run");
  EXPECT_EQ(stage["nodes"], 2) << stage;
  EXPECT_EQ(stage["shards"], 8) << stage;
  EXPECT_EQ(stage["copied_bytes"], stage["bytes"]) << stage;
  EXPECT_NE(outcome.err.find("on 2 nodes"), std::string::npos) << outcome.err;
  EXPECT_TRUE(checkpoint("run") == checkpoint("plain"));
}

TEST_F(Staging, TheUserIsToldWhatWasCopied) {
  const Outcome outcome = run(training("run"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("staged 6 shards"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("copied ("), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("same file system as the store"), std::string::npos) << outcome.err;
  EXPECT_EQ(stage_of("run")["done"], true);
  const Outcome refused =
      run(tiny_training(program, folder_ / "store", folder_ / "run", {"--stage", folder_ / "store"}));
  EXPECT_EQ(refused.code, 64);
  EXPECT_NE(refused.err.find("is the store itself"), std::string::npos) << refused.err;
  const Outcome missing = run(training("other", {"--stage", folder_ / "missing"}));
  EXPECT_EQ(missing.code, 64);
  EXPECT_NE(missing.err.find("missing: "), std::string::npos) << missing.err;
}

// The local disk is a small file system of its own, mounted for one command.
class StagingOnASmallDisk : public Staging {
 protected:
  void SetUp() override {
    if (run({"unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", folder_ / "local"})
            .code != 0)
      GTEST_SKIP() << "this machine lets no test mount a file system";
  }
  Process on_disk(int kilobytes, const std::string& options, const std::string& script,
                  const std::vector<std::string>& command,
                  const std::vector<std::string>& environment = {}) const {
    std::vector<std::string> arguments{
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        fmt::format("disk={} && mount -t tmpfs -o size={}k{} tmpfs $disk || exit 1\n{}",
                    (folder_ / "local").string(), kilobytes, options, script),
        "sh"};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return Process(arguments, environment);
  }
};

TEST_F(StagingOnASmallDisk, ADiskThatIsTooSmallIsRefusedWithNumbers) {
  Process process =
      on_disk(500, "", "\"$@\"; code=$?; find $disk -name '*.h5*'; exit $code", training("run"));
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 74) << outcome.err;
  for (const char* part : {"take 1.2 MB", "are missing", "512.0 kB are free", "leave --stage out"})
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << " is not in: " << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST_F(StagingOnASmallDisk, ADiskThatFillsUpMeanwhileLeavesTheRestInTheStore) {
  ASSERT_EQ(run(tiny_training(program, folder_ / "store", folder_ / "plain")).code, 0);
  Process process = on_disk(2000, "", R"(
    "$@" & run=$!
    until ls $disk/*/*.h5 >$disk/list 2>&1 || ! kill -0 $run; do sleep 0.01; done
    dd if=/dev/zero of=$disk/other bs=4k 2>/dev/null
    wait $run; code=$?; find $disk -name '*.partial'; exit $code)",
                            training("run"), slow_disk(20));
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("No space left on device"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("read from the store"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.out.find(".partial"), std::string::npos) << outcome.out;
  EXPECT_EQ(stage_of("run")["done"], true);
  EXPECT_LT(stage_of("run")["staged_shards"], 6);
  EXPECT_TRUE(checkpoint("run") == checkpoint("plain"));
}

TEST_F(StagingOnASmallDisk, AReadOnlyDiskIsRefused) {
  Process process = on_disk(8000, "", "mount -o remount,ro $disk; \"$@\"", training("run"));
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 74) << outcome.err;
  EXPECT_NE(outcome.err.find("Read-only file system"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("--stage"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace convoy::test
