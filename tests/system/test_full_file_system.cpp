// The real program on a file system that is full: the code is that of a failed write, whatever HDF5 does when
// a process ends; and once there is room again, a run ends as if nothing had happened.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

class FullFileSystem : public testing::Test {
 protected:
  void SetUp() override {
    if (run({"unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", folder_.path()})
            .code != 0)
      GTEST_SKIP() << "this machine lets no test mount a file system";
    make_tiny_store(program, folder_ / "store");
    std::filesystem::create_directory(disk());
  }
  std::string disk() const { return folder_ / "disk"; }
  // A shell script with a file system of `kilobytes` mounted at $disk. "$@" is a training run of 8 steps that
  // writes a checkpoint of about 9.6 MB after every second one.
  Outcome on_disk(int kilobytes, const std::string& script) const {
    std::vector<std::string> arguments{"unshare",
                                       "--map-root-user",
                                       "--mount",
                                       "sh",
                                       "-c",
                                       fmt::format("mount -t tmpfs -o size={}k tmpfs {} && disk={} && {}",
                                                   kilobytes, disk(), disk(), script),
                                       "sh"};
    for (const std::string& word :
         tiny_training(program, folder_ / "store", disk() + "/run",
                       {"--steps", "8", "--checkpoint-every", "2steps", "--keep", "1"}))
      arguments.push_back(word);
    return run(arguments);
  }

  TemporaryFolder folder_;
};

TEST_F(FullFileSystem, ACheckpointThatDoesNotFitEndsWithTheCodeOfAFailedWrite) {
  // The disk fills up in different places: in weights, in the velocity, in the structure at the end.
  for (const int kilobytes : {400, 3000, 9000, 9500}) {
    const Outcome outcome = on_disk(kilobytes, R"("$@"; code=$?; ls $disk/run/checkpoints; exit $code)");
    EXPECT_EQ(outcome.code, 74) << kilobytes << ": " << outcome.err;
    EXPECT_NE(outcome.err.find("No space left on device"), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out.find(".partial"), std::string::npos) << outcome.out;
  }
}

// A limit on the size of files is another full disk: its signal must not end the program.
TEST(FileSizeLimitOfTheShell, EndsPackingWithTheCodeOfAFailedWrite) {
  const TemporaryFolder folder;
  const Outcome outcome =
      run({"sh", "-c",
           fmt::format("ulimit -f 9000 && {} synthesize {} --classes 2 --images 200 --val-images 2 "
                       "--image-size 160; code=$?; ls {}; exit $code",
                       program, (folder / "store").string(), (folder / "store").string())});
  EXPECT_EQ(outcome.code, 74) << outcome.err;
  EXPECT_NE(outcome.err.find("File too large"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST_F(FullFileSystem, ARunGoesOnWhenThereIsRoomAgain) {
  const Outcome outcome = on_disk(50'000, R"(
    head -c 45000000 /dev/zero >$disk/other
    "$@" 2>$disk/log & run=$!
    until grep -q 'could not be written' $disk/log || ! kill -0 $run; do sleep 0.02; done
    rm $disk/other
    wait $run; code=$?; cat $disk/log; ls $disk/run/checkpoints; exit $code)");
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("training continues"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("step-000000008.h5"), std::string::npos) << outcome.out;
}

TEST_F(FullFileSystem, ARunStopsOnRequestAfterACheckpointThatDidNotFit) {
  const Outcome outcome = on_disk(50'000, R"(
    head -c 45000000 /dev/zero >$disk/other
    "$@" --steps 1000000 2>$disk/log & run=$!
    until grep -q 'could not be written' $disk/log || ! kill -0 $run; do sleep 0.02; done
    rm $disk/other
    kill -USR1 $run
    wait $run; code=$?; cat $disk/log; ls $disk/run/checkpoints/latest; exit $code)");
  EXPECT_EQ(outcome.code, 75) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("checkpoints/latest"), std::string::npos) << outcome.out;
}

TEST_F(FullFileSystem, AStoreThatDoesNotFitIsCompletedLater) {
  const std::string synthesize =
      program +
      " synthesize $disk/s --classes 4 --images 60 --val-images 8 --image-size 64 --shard-bytes 200000";
  for (const int kilobytes : {100, 500, 860}) {
    const Outcome outcome =
        on_disk(kilobytes, synthesize + "; echo first $?; ls $disk/s; mount -o remount,size=9m $disk; " +
                               synthesize + " && " + program + " verify $disk/s");
    EXPECT_EQ(outcome.code, 0) << kilobytes << ": " << outcome.err;
    EXPECT_NE(outcome.out.find("first 74"), std::string::npos) << kilobytes << ": " << outcome.out;
    EXPECT_EQ(outcome.out.find(".partial"), std::string::npos) << outcome.out;
  }
}

}  // namespace
}  // namespace convoy::test
