// A training run to which something happens, for the tests behind the table in tests/system/README.md:
// started through the real program in the background, disturbed once it has reached some step, waited for,
// and resumed. In the end its weights must be those of a run that nothing disturbed, bit for bit.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "support/process.hpp"

namespace convoy::test {

using Words = std::vector<std::string>;

struct RunStart {
  int ranks = 1;
  Words options = {};  // of `convoy train`, behind those of a tiny run that never ends by itself
  Words before = {};  // in front of the program, of every rank: {"sh", "-c", "ulimit …; exec \"$@\"", "sh"}
  Words environment = {};  // NAME=value
};

// A fixture: one store for all tests of a program, and one disturbed run a test.
class DisturbedRun : public testing::Test {
 protected:
  static void SetUpTestSuite();
  void TearDown() override;

  // Begins the run in place("run"), with a checkpoint every four steps.
  void start(const RunStart& how = {});
  // Waits until the metrics show this many steps; throws if the run ends before.
  void reach(std::int64_t steps);
  std::int64_t steps_done() const;
  pid_t rank(int number) const;  // its process; throws if there is none
  Process& process() { return *process_; }
  // A message of the run, within `seconds`.
  void expect_message(const std::string& text, double seconds = 20);

  // The failure happens now: the clock starts.
  void now() { since_.restart(); }
  // Waits for the end. `texts` are parts of the messages.
  void expect_end(int code, const Words& texts = {}, double seconds = 60);
  // Resumes what is there until some steps later, undisturbed, and compares. `lost`: at most that many steps
  // are done again. Prints the row for the README's table.
  void expect_recovery(std::int64_t lost, const std::string& row);

  std::filesystem::path place(const std::string& name) const { return *folder_ / name; }
  static std::filesystem::path store();
  // A copy of the store for this run's --data, which a test may damage.
  std::filesystem::path own_store();
  // A file system of its own for place("disk"), for this process and its children; false where that is not
  // allowed. The run then is in place("disk/run").
  bool mount_disk(int kilobytes);
  std::filesystem::path output() const { return output_; }

 private:
  Words training(const Words& more) const;
  Words command(const RunStart& how, const Words& more) const;
  // The checkpoint of an undisturbed run.
  static std::filesystem::path undisturbed(int ranks, std::int64_t step);

  std::unique_ptr<TemporaryFolder> folder_ = std::make_unique<TemporaryFolder>();
  std::filesystem::path output_ = place("run"), data_ = store();
  std::optional<Process> process_;
  bool mounted_ = false;
  int ranks_ = 1, code_ = -1;
  Stopwatch since_;
  double seconds_ = 0;
};

// Parts of a text must be there, or must not.
void expect_parts(const std::string& text, const Words& parts);

}  // namespace convoy::test
