// A full disk: a periodic checkpoint that cannot be written is a warning, the last one is the run's error,
// and what was sound before stays. The limit on the size of files that a process may write stands for the
// disk.
#include <gtest/gtest.h>

#include "support/file_size_limit.hpp"
#include "support/mpi_test.hpp"
#include "system/tiny_run.hpp"

namespace convoy::test {
namespace {

// Fills the disk when a step is reported, empties it when a warning is.
class DiskFiller : public Recorder {
 public:
  DiskFiller(std::int64_t from, bool for_good) : from_(from), for_good_(for_good) {}
  void on_step(const StepRecord& record) override {
    Recorder::on_step(record);
    if (record.step == from_) limit_ = std::make_unique<FileSizeLimit>(1 << 20);
  }
  void on_event(const EventRecord& record) override {
    Recorder::on_event(record);
    if (record.what == "warning" && !for_good_) limit_.reset();
  }

 private:
  std::int64_t from_;
  bool for_good_;
  std::unique_ptr<FileSizeLimit> limit_;
};

class FullDisk : public testing::Test {
 protected:
  FullDisk() : folder_(world()) { write_tiny_store(folder_ / "store", {}, world()); }
  SharedFolder folder_;
};

TEST_F(FullDisk, APeriodicCheckpointIsTriedAgain) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.epochs = 5;
  configuration.keep = 0;
  DiskFiller filler(5, false);
  EXPECT_EQ(train(configuration, world(), filler).code, ExitCode::done);
  if (world().rank() != 0) return;
  EXPECT_EQ(filler.events_of("warning").size(), 1U);
  EXPECT_EQ(filler.checkpoints.size(), 4U);
  const auto folder = folder_ / "run" / "checkpoints";
  EXPECT_TRUE(std::filesystem::exists(folder / checkpoint_name(3)));
  EXPECT_FALSE(std::filesystem::exists(folder / checkpoint_name(6)));
  EXPECT_TRUE(std::filesystem::exists(folder / checkpoint_name(15)));
}

TEST_F(FullDisk, TheLastCheckpointIsTheRunsError) {
  TrainConfiguration configuration = tiny_configuration(folder_, "run");
  configuration.epochs = 2;
  DiskFiller filler(5, true);
  try {
    train(configuration, world(), filler);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::io);
    EXPECT_NE(std::string(error.what()).find("step 6"), std::string::npos) << error.what();
  }
  if (world().rank() != 0) return;
  const auto folder = folder_ / "run" / "checkpoints";
  EXPECT_EQ(std::filesystem::read_symlink(folder / "latest").filename(), checkpoint_name(3));
  EXPECT_EQ(load(configuration.output, 3, configuration).header.step, 3);
}

}  // namespace
}  // namespace convoy::test
