// Training with --stage through the C++ interface: not a bit differs from training without, resumed runs
// included; the ranks share one copy of each shard; and a node without room or folder ends all ranks alike.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "data/shared_store.hpp"
#include "support/mpi_test.hpp"
#include "system/tiny_run.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

class StagedRuns : public testing::Test {
 protected:
  StagedRuns() : folder_(world()) {
    write_tiny_store(folder_ / "store", {}, world());
    make_local("local");
  }
  void make_local(const std::string& name) {
    world().on_rank_zero([&] {
      fs::create_directory(folder_ / name);
      return std::string();
    });
  }
  TrainConfiguration staged(const std::string& output) const {
    TrainConfiguration configuration = tiny_configuration(folder_, output);
    configuration.stage = (folder_ / "local").string();
    return configuration;
  }
  static Records finish(const TrainConfiguration& configuration) {
    Recorder recorder;
    EXPECT_EQ(train(configuration, world(), recorder).code, ExitCode::done);
    return recorder;
  }
  // Not even the bytes of two runs' checkpoints differ: they do not know of copies.
  void expect_same_bits(const std::string& left, const std::string& right, std::int64_t step) const {
    if (world().rank() != 0) return;
    const fs::path file = fs::path("checkpoints") / checkpoint_name(step);
    EXPECT_TRUE(read_text_file(folder_ / left / file) == read_text_file(folder_ / right / file));
  }
  nlohmann::json stage_of(const std::string& output) const {
    return nlohmann::json::parse(read_text_file(folder_ / output / "run.json"))["stage"];
  }
  std::uint64_t bytes_of_store() const {
    const Store store = open_store((folder_ / "store").string(), world());
    std::uint64_t bytes = 0;
    for (const SplitEntry* split : {&*store.train, &*store.val})
      for (const ShardEntry& shard : split->shards) bytes += shard.bytes;
    return bytes;
  }

  SharedFolder folder_;
};

TEST_F(StagedRuns, AreTheSameBitsAndCopyOnce) {
  finish(tiny_configuration(folder_, "plain"));
  const Records first = finish(staged("first"));
  const Records second = finish(staged("second"));
  expect_same_bits("plain", "first", 6);
  expect_same_bits("plain", "second", 6);
  const std::uint64_t bytes = bytes_of_store();
  if (world().rank() != 0) return;
  const nlohmann::json copied = stage_of("first"), reused = stage_of("second");
  EXPECT_EQ(copied["done"], true) << copied;
  EXPECT_EQ(copied["bytes"], bytes);
  EXPECT_EQ(copied["staged_bytes"], bytes);
  EXPECT_EQ(copied["copied_bytes"], bytes) << "each shard by one rank only";
  EXPECT_GT(copied["seconds"], 0);
  EXPECT_EQ(copied["folder"].get<std::string>().rfind((folder_ / "local").string(), 0), 0U);
  EXPECT_EQ(reused["copied_bytes"], 0) << reused;
  EXPECT_EQ(reused["staged_bytes"], bytes);
  ASSERT_EQ(first.events_of("stage").size(), 1U);
  EXPECT_NE(first.events_of("stage")[0].text.find("copied"), std::string::npos);
  ASSERT_EQ(second.events_of("stage").size(), 1U);
  EXPECT_NE(second.events_of("stage")[0].text.find("all there already"), std::string::npos);
}

TEST_F(StagedRuns, ShuffledByNodeAreTheSameBits) {
  TrainConfiguration plain = tiny_configuration(folder_, "plain"), with = staged("staged");
  plain.shuffle_by_node = with.shuffle_by_node = true;
  finish(plain);
  finish(with);
  expect_same_bits("plain", "staged", 6);
}

TEST_F(StagedRuns, ResumedAreTheSameBits) {
  finish(tiny_configuration(folder_, "plain"));
  TrainConfiguration pieces = staged("pieces");
  pieces.resume = "auto";
  {
    Recorder recorder;
    recorder.stop_at = 1;
    EXPECT_EQ(train(pieces, world(), recorder).code, ExitCode::stopped);
  }
  pieces.stage.clear();  // goes on without copies, then with them
  {
    Recorder recorder;
    recorder.stop_at = 5;
    train(pieces, world(), recorder);
  }
  pieces.stage = (folder_ / "local").string();
  finish(pieces);
  expect_same_bits("plain", "pieces", 6);
}

TEST_F(StagedRuns, AMissingFolderOnOneRankEndsAllAlike) {
  TrainConfiguration configuration = staged("run");
  if (world().rank() == world().size() - 1) configuration.stage = (folder_ / "missing").string();
  const Refusal refusal = refused(configuration, world());
  EXPECT_EQ(refusal.category, ExitCode::usage);
  EXPECT_NE(refusal.text.find("--stage " + (folder_ / "missing").string()), std::string::npos)
      << refusal.text;
}

// Two ranks with folders of their own copy all that they read, each for itself.
TEST_F(StagedRuns, RanksMayHaveFoldersOfTheirOwn) {
  for (int rank = 0; rank < world().size(); ++rank) make_local(fmt::format("local-{}", rank));
  finish(tiny_configuration(folder_, "plain"));
  TrainConfiguration configuration = staged("run");
  configuration.stage = (folder_ / fmt::format("local-{}", world().rank())).string();
  finish(configuration);
  expect_same_bits("plain", "run", 6);
  const std::uint64_t bytes = bytes_of_store();
  if (world().rank() != 0) return;
  EXPECT_EQ(stage_of("run")["nodes"], world().size());
  EXPECT_EQ(stage_of("run")["bytes"], bytes * static_cast<std::uint64_t>(world().size()));
}

TEST_F(StagedRuns, DamagedCopiesAreReportedAndChangeNoBit) {
  finish(tiny_configuration(folder_, "plain"));
  finish(staged("first"));
  const Store store = open_store((folder_ / "store").string(), world());
  world().on_rank_zero([&] {
    for (const ShardEntry& shard : store.train->shards) {
      const fs::path copy = folder_ / "local" / ("convoy-store-" + store.fingerprint) / shard.file;
      std::fstream file(copy, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(shard.images_offset));
      file.write("\1\2\3\4", 4);
    }
    return std::string();
  });
  TrainConfiguration configuration = staged("second");
  testing::internal::CaptureStderr();
  const Records records = finish(configuration);
  const std::string warnings = testing::internal::GetCapturedStderr();
  expect_same_bits("plain", "second", 6);
  if (world().rank() != 0) return;
  EXPECT_GT(stage_of("second")["rejected_copies"], 0) << stage_of("second");
  ASSERT_GE(records.events_of("warning").size(), 1U);
  EXPECT_NE(records.events_of("warning").back().text.find("could not be used"), std::string::npos);
  EXPECT_NE(warnings.find("read instead"), std::string::npos) << warnings;
}

}  // namespace
}  // namespace convoy::test
