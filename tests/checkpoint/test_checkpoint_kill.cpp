// kill -9 at any moment of writing: what was acknowledged is never lost, and what is found is sound.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "checkpoint/background_writer.hpp"
#include "checkpoint/checkpoint_samples.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

// The child: a run that does nothing but write checkpoints, and says through `out` what is safe.
[[noreturn]] void write_for_ever(const fs::path& folder, const ParameterTable& table, std::int64_t step,
                                 int out) {
  BackgroundWriter writer(folder, table, 2);
  for (;; ++step) {
    writer.start(sample_checkpoint(table, step), step % 3 == 0);
    for (const WrittenCheckpoint& written : writer.finish()) {
      if (!written.error.empty()) ::_exit(1);
      if (::write(out, &written.step, sizeof written.step) != sizeof written.step) ::_exit(2);
    }
  }
}

TEST(CheckpointKill, NothingAcknowledgedIsLost) {
  const TemporaryFolder temporary;
  const fs::path folder = temporary / "checkpoints";
  const ParameterTable table(small_network(200));  // 0.3 MB a checkpoint: writing takes a while
  std::mt19937 generator(1);
  std::int64_t acknowledged = -1, next = 0;
  int interrupted = 0;
  for (int round = 0; round < 60; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      write_for_ever(folder, table, next, ends[1]);
    }
    ::close(ends[1]);
    // Every other round from the first moments of the process on, else once a checkpoint was acknowledged.
    if (round % 2 == 1) {
      ASSERT_EQ(::read(ends[0], &acknowledged, sizeof acknowledged), ssize_t{sizeof acknowledged});
    }
    ::usleep(static_cast<unsigned>(generator() % 20'000));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << "the child ended by itself: " << status;
    for (std::int64_t step = 0; ::read(ends[0], &step, sizeof step) == sizeof step;) acknowledged = step;
    ::close(ends[0]);

    for (const auto& entry :
         fs::is_directory(folder) ? fs::directory_iterator(folder) : fs::directory_iterator())
      interrupted += entry.path().extension() == ".partial" ? 1 : 0;
    if (acknowledged < 0) continue;
    const NewestCheckpoint newest = find_newest_checkpoint(folder, table);
    ASSERT_TRUE(newest.refused.empty()) << "torn under its final name: " << newest.refused[0].second;
    ASSERT_FALSE(newest.path.empty());
    const Checkpoint found = CheckpointFile(newest.path).read(table);
    ASSERT_GE(found.header.step, acknowledged);
    ASSERT_TRUE(same_content(found, sample_checkpoint(table, found.header.step)));
    // The link leads to a sound one as well, and no further back than what was acknowledged.
    ASSERT_GE(CheckpointFile(folder / "latest").read(table).header.step, acknowledged);
    if (fs::is_symlink(folder / "best")) {
      ASSERT_NO_THROW(CheckpointFile(folder / "best").read(table));
    }
    next = found.header.step + 1;
  }
  EXPECT_GT(acknowledged, 0);
  EXPECT_GT(interrupted, 0) << "no kill came while a file was being written: the test proves little";
}

}  // namespace
}  // namespace convoy::test
