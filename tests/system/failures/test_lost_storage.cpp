// A full disk, a folder that disappears or may not be written any more: what the run says, and that nothing
// is lost that need not be.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "report/event_reader.hpp"
#include "system/failures/disturbed_run.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

class LostStorage : public DisturbedRun {
 protected:
  // A file that leaves no room on the disk, also where a checkpoint is given up that was being written.
  void fill() {
    fill_once();
    expect_message("training continues and tries again");
    fill_once();
  }
  void fill_once() const {
    std::ofstream out(filler(), std::ios::binary | std::ios::app);
    const std::vector<char> zeros(1 << 12);
    while (out.write(zeros.data(), static_cast<std::streamsize>(zeros.size())).flush()) {
    }
  }
  fs::path filler() const { return place("disk") / "filler"; }

  // The steps in the metrics, each line whole.
  std::vector<std::int64_t> logged_steps() const {
    std::vector<std::int64_t> steps;
    std::ifstream in(output() / "metrics.jsonl");
    for (std::string line; std::getline(in, line);) {
      const auto json = nlohmann::json::parse(line);
      if (json["kind"] == "step") steps.push_back(json["step"]);
    }
    return steps;
  }
  void expect_every_step_logged() const {
    const std::vector<std::int64_t> steps = logged_steps();
    std::vector<std::int64_t> all(steps.size());
    std::iota(all.begin(), all.end(), 1);
    EXPECT_EQ(steps, all);
  }
  // Where to go on after a failure, as the message has it.
  std::string go_on_from(const std::string& checkpoint) const {
    return fmt::format("--resume auto: it goes on from step {}", std::stol(checkpoint.substr(5)));
  }
  std::string newest() const { return fs::read_symlink(output() / "checkpoints" / "latest").string(); }
};

// Checkpoints, metrics and all other records meet a disk that is full for a while.
TEST_F(LostStorage, AFullDiskForAWhile) {
  if (!mount_disk(45'000)) GTEST_SKIP() << "this machine lets no test mount a file system";
  start({.options = {"--tensorboard", "--mllog", "--trace", place("disk") / "trace.json", "--trace-steps",
                     "20-22"}});
  reach(5);
  now();
  fill();
  for (const char* text : {"metrics.jsonl: No space left on device: the run continues", "events.out.tfevents",
                           "trace.json", "training continues and tries again"})
    expect_message(text);
  fs::remove(filler());
  expect_message("metrics.jsonl is written again");
  process().signal(SIGUSR1);
  expect_end(75);
  expect_every_step_logged();
  read_events(output());  // expects whole records
  std::ifstream log(output() / "mllog.txt");
  for (std::string line; std::getline(log, line);)
    EXPECT_TRUE(nlohmann::json::accept(line.substr(line.find('{')))) << line;
  expect_recovery(0,
                  "the disk is full for a while: checkpoints, metrics.jsonl, mllog.txt, TensorBoard, trace");
}

TEST_F(LostStorage, AFullDiskAtTheLastCheckpoint) {
  if (!mount_disk(45'000)) GTEST_SKIP() << "this machine lets no test mount a file system";
  start();
  reach(6);
  fill();
  const std::string kept = newest();
  now();
  process().signal(SIGUSR1);
  expect_end(74, {"could not be written", "No space left on device", go_on_from(kept)});
  EXPECT_EQ(newest(), kept);
  fs::remove(filler());
  expect_recovery(20, "the disk is full at the last checkpoint");
}

// Room for the two checkpoints that the run keeps, but not for a third beside them.
TEST_F(LostStorage, ADiskThatHoldsTheKeptCheckpointsOnly) {
  if (!mount_disk(24'000)) GTEST_SKIP() << "this machine lets no test mount a file system";
  start();
  reach(14);
  expect_message("was removed to make room for step 12");
  process().signal(SIGUSR1);
  now();
  expect_end(75);
  expect_recovery(0, "the disk holds the checkpoints that --keep asks for, but no other beside them");
}

TEST_F(LostStorage, TheOutputFolderIsDeleted) {
  start();
  reach(5);
  now();
  fs::rename(output(), place("gone"));  // removing what the run adds to at the same time could fail
  fs::remove_all(place("gone"));
  expect_message("had disappeared and was made again");
  process().signal(SIGUSR1);
  expect_end(75);
  expect_recovery(0, "the output folder is deleted or moved away");
}

TEST_F(LostStorage, TheOutputFolderBecomesReadOnly) {
  fs::create_directory(place("run"));
  Words user;  // root may write everywhere
  if (::geteuid() == 0) {
    user = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
    for (const fs::path& path : {place("."), place("run")}) fs::permissions(path, fs::perms(0777));
  }
  start({.before = user});
  reach(6);
  const fs::path checkpoints = output() / "checkpoints";
  for (int tries = 0; tries < 2000 && !fs::exists(checkpoints / "latest"); ++tries) ::usleep(10'000);
  now();
  fs::permissions(checkpoints, fs::perms(0555));
  expect_message("Permission denied); training continues and tries again");
  const std::string kept = newest();
  process().signal(SIGUSR1);
  expect_end(74, {"Permission denied", go_on_from(kept)});
  fs::permissions(checkpoints, fs::perms(0777));
  expect_recovery(20, "the folder of checkpoints becomes read-only");
}

}  // namespace
}  // namespace convoy::test
