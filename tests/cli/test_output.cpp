// Output that does not arrive: a full disk and a reader that has left. Printing is a command's result, but
// never worth a training run.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

// `command` with standard output going `into` something, as a shell does it; the code is the command's own.
Outcome in_shell(const std::vector<std::string>& command, const std::string& into) {
  std::string line;
  for (const std::string& word : command) line += "'" + word + "' ";
  return run({"bash", "-c", line + into + "; exit ${PIPESTATUS[0]}"});
}

class Output : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    make_tiny_store(program, store());
    ASSERT_EQ(run(training("trained", {"--steps", "1"})).code, 0);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string store() { return *folder_ / "store"; }
  static std::filesystem::path place(const std::string& name) { return *folder_ / name; }
  static std::vector<std::string> training(const std::string& output, const std::vector<std::string>& more) {
    return tiny_training(program, store(), place(output), more);
  }
  // Commands that only print, and the one that has made a store when it does.
  static std::vector<std::vector<std::string>> printing() {
    return {{program, "--help"},
            {program, "--version"},
            {program, "train", "--help"},
            {program, "models"},
            {program, "doctor"},
            {program, "verify", store()},
            {program, "evaluate", "--json", "--data", store(), "--checkpoint",
             place("trained") / "checkpoints" / "latest"},
            {program, "synthesize", place("made"), "--images", "4", "--val-images", "0", "--classes", "2",
             "--image-size", "16"}};
  }

 private:
  inline static std::unique_ptr<TemporaryFolder> folder_;
};

TEST_F(Output, AFullDiskIsAnErrorOfTheCommand) {
  for (const auto& command : printing()) {
    const Outcome outcome = in_shell(command, "> /dev/full");
    EXPECT_EQ(outcome.code, 74) << command[1];
    EXPECT_EQ(occurrences(outcome.err, "standard output could not be written: No space left on device"), 1)
        << command[1] << outcome.err;
  }
  EXPECT_EQ(run({program, "verify", place("made")}).code, 0) << "the store itself is complete";
}

TEST_F(Output, ACommandWhoseReaderHasLeftEndsQuietly) {
  for (const auto& command : printing()) {
    std::string line;
    for (const std::string& word : command) line += " '" + word + "'";
    // The reader leaves before anything is printed.
    const Outcome outcome = run({"bash", "-c", "exec 3> >(true); wait $!;" + line + " >&3"});
    EXPECT_EQ(outcome.code, 141) << line;
    EXPECT_EQ(outcome.err.find("standard output"), std::string::npos) << outcome.err;
  }
}

// As some daemons and job managers start programs. No text may reach a file that took a stream's number.
TEST_F(Output, ClosedStreamsAreNotReplacedByFiles) {
  const Outcome training_run = in_shell(training("closed", {"--epochs", "1"}), "<&- >&- 2>&-");
  EXPECT_EQ(training_run.code, 0);
  const std::string checkpoint = place("closed") / "checkpoints" / "latest";
  EXPECT_EQ(run({program, "evaluate", "--data", store(), "--checkpoint", checkpoint}).code, 0);
  const Outcome made = in_shell({program, "synthesize", place("closed-store"), "--images", "4",
                                 "--val-images", "0", "--classes", "2", "--image-size", "16"},
                                "<&- >&-");
  EXPECT_EQ(made.code, 74) << "its report is lost";
  EXPECT_EQ(run({program, "verify", place("closed-store")}).code, 0);
  std::string command;
  for (const std::string& word : training("numbers", {"--epochs", "1000"})) command += "'" + word + "' ";
  const Outcome numbers =
      run({"bash", "-c",
           command + "<&- >&- 2>&- & for i in {1..100}; do sleep 0.1; [ -e '" +
               (place("numbers") / "metrics.jsonl").string() +
               "' ] && break; done; readlink /proc/$!/fd/[012] | grep -c '^/dev/null$'; kill $!; wait $!"});
  EXPECT_EQ(numbers.out, "3\n");
}

TEST_F(Output, WrongUsageKeepsItsCodeWithoutStandardError) {
  EXPECT_EQ(run({"bash", "-c", "'" + program + "' trian 2> /dev/full"}).code, 64);
  EXPECT_EQ(run({"bash", "-c", "'" + program + "' trian 2>&-"}).code, 64);
}

TEST_F(Output, TrainingGoesOnWithoutItsProgressLines) {
  const Outcome full = in_shell(training("full", {"--epochs", "1"}), "> /dev/full");
  EXPECT_EQ(full.code, 0) << full.err;
  EXPECT_EQ(occurrences(full.err, "progress lines are being lost"), 1) << full.err;
  EXPECT_TRUE(std::filesystem::exists(place("full") / "checkpoints" / "step-000000004.h5"));
  // Nobody reads standard output and standard error any more after the first line.
  const Outcome gone = in_shell(training("gone", {"--epochs", "5"}), "2>&1 | head -n 1");
  EXPECT_EQ(gone.code, 0) << gone.err;
  EXPECT_TRUE(std::filesystem::exists(place("gone") / "checkpoints" / "step-000000020.h5"));
  EXPECT_EQ(occurrences(read_file(place("gone") / "metrics.jsonl"), "\"kind\":\"step\""), 20);
}

}  // namespace
}  // namespace convoy::test
