#include "system/failures/disturbed_run.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "checkpoint/checkpoint.hpp"
#include "model/networks.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;
constexpr std::int64_t straight_interval = 20;  // steps between two checkpoints of undisturbed runs

// For all tests of a program.
struct Shared {
  TemporaryFolder folder;
};
std::unique_ptr<Shared>& shared() {
  static std::unique_ptr<Shared> instance;
  return instance;
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  const NetSpec network = make_network("alexnet-mini", {.classes = 4, .dropout = {}});
  return CheckpointFile(path).read(ParameterTable(network));
}

// The step in a run's "resumed at step 8 from …"; 0 for a run that began anew.
std::int64_t resumed_step(const std::string& messages) {
  const std::string before = "resumed at step ";
  const auto at = messages.find(before);
  return at == std::string::npos ? 0 : std::stoll(messages.substr(at + before.size()));
}

}  // namespace

void expect_parts(const std::string& text, const Words& parts) {
  for (const std::string& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is missing in:\n" << text;
}

void DisturbedRun::SetUpTestSuite() {
  if (shared()) return;
  shared() = std::make_unique<Shared>();
  std::filesystem::permissions(shared()->folder.path(), std::filesystem::perms(0755));
  const Outcome outcome =
      convoy::test::run({program, "synthesize", store(), "--classes", "4", "--images", "64", "--val-images",
                         "32", "--image-size", "64", "--shard-bytes", "50kB"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
}

void DisturbedRun::TearDown() {
  process_.reset();
  if (mounted_) ::umount2(place("disk").c_str(), MNT_DETACH);
}

std::filesystem::path DisturbedRun::store() {
  return shared()->folder / "store";
}

std::filesystem::path DisturbedRun::own_store() {
  data_ = place("store");
  std::filesystem::copy(store(), data_);
  return data_;
}

bool DisturbedRun::mount_disk(int kilobytes) {
  std::filesystem::create_directory(place("disk"));
  if (::unshare(CLONE_NEWNS) != 0) return false;
  // What is mounted from here on is seen by this process and its children alone.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  const std::string size = fmt::format("size={}k", kilobytes);
  if (::mount("tmpfs", place("disk").c_str(), "tmpfs", 0, size.c_str()) != 0) return false;
  output_ = place("disk") / "run";
  mounted_ = true;
  return true;
}

Words DisturbedRun::training(const Words& more) const {
  Words all = {"--global-batch", "8", "--evaluate-every", "0"};
  all.insert(all.end(), more.begin(), more.end());
  return tiny_training(program, data_, output_, all);
}

Words DisturbedRun::command(const RunStart& how, const Words& more) const {
  Words all = how.before;
  const Words train = training(more);
  all.insert(all.end(), train.begin(), train.end());
  return how.ranks == 1 ? all : on_ranks(how.ranks, all);
}

void DisturbedRun::start(const RunStart& how) {
  Words more = {"--steps", "1000000", "--checkpoint-every", "4steps", "--keep", "2"};
  more.insert(more.end(), how.options.begin(), how.options.end());
  ranks_ = how.ranks;
  process_.emplace(command(how, more), how.environment);
}

std::int64_t DisturbedRun::steps_done() const {
  std::int64_t steps = 0;
  std::ifstream in(output_ / "metrics.jsonl");
  for (std::string line; std::getline(in, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object() && json["kind"] == "step") steps = std::max(steps, json["step"].get<std::int64_t>());
  }
  return steps;
}

void DisturbedRun::reach(std::int64_t steps) {
  const Stopwatch watch;
  while (steps_done() < steps) {
    if (!process_->running() || watch.seconds() > 120)
      throw std::runtime_error(fmt::format("the run does not reach step {}: {}", steps, process_->err()));
    ::usleep(10'000);
  }
}

pid_t DisturbedRun::rank(int number) const {
  return process_of_rank(process_->id(), number);
}

void DisturbedRun::expect_message(const std::string& text, double seconds) {
  EXPECT_TRUE(process_->wait_for_output(text, seconds)) << text << " is missing in:\n" << process_->err();
}

void DisturbedRun::expect_end(int code, const Words& texts, double seconds) {
  const Outcome outcome = process_->wait(seconds);
  seconds_ = since_.seconds();
  code_ = outcome.code;
  EXPECT_EQ(outcome.code, code) << outcome.err;
  expect_parts(outcome.err, texts);
}

std::filesystem::path DisturbedRun::undisturbed(int ranks, std::int64_t step) {
  const std::filesystem::path output = shared()->folder / fmt::format("undisturbed-{}", ranks);
  const std::filesystem::path path = output / "checkpoints" / checkpoint_name(step);
  if (std::filesystem::exists(path)) return path;
  const Words train = tiny_training(
      program, store(), output,
      {"--global-batch", "8", "--evaluate-every", "0", "--resume", "auto", "--keep", "0",
       "--checkpoint-every", fmt::format("{}steps", straight_interval), "--steps", std::to_string(step)});
  const Outcome outcome = convoy::test::run(ranks == 1 ? train : on_ranks(ranks, train));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return path;
}

void DisturbedRun::expect_recovery(std::int64_t lost, const std::string& row) {
  const std::int64_t done = steps_done();
  const std::int64_t last = (done + 2 + straight_interval) / straight_interval * straight_interval;
  const RunStart start{.ranks = ranks_};
  const Outcome outcome =
      convoy::test::run(command(start, {"--steps", std::to_string(last), "--checkpoint-every", "0", "--keep",
                                        "2", "--resume", "auto"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::int64_t repeated = done - resumed_step(outcome.err);
  EXPECT_LE(repeated, lost) << outcome.err;
  const Checkpoint here = read_checkpoint(output_ / "checkpoints" / checkpoint_name(last));
  const Checkpoint there = read_checkpoint(undisturbed(ranks_, last));
  EXPECT_TRUE(here.parameters == there.parameters) << "the weights of step " << last << " differ";
  EXPECT_TRUE(here.optimizer == there.optimizer);
  std::printf("[   ROW    ] %s | %d | %.1f s | %lld\n", row.c_str(), code_, seconds_,
              static_cast<long long>(repeated));
}

}  // namespace convoy::test
