// Kept answers on disk: a second start finds them, and nothing that is wrong with the file or its folder is
// more than a measurement lost.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "base/atomic_file.hpp"
#include "base/folder_lock.hpp"
#include "engine/tuning/tuning_cache.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

Decision decision(const std::string& key, const std::string& chosen) {
  return {.what = "conv2, forward",
          .key = key,
          .chosen = chosen,
          .source = DecisionSource::measured,
          .trials = {{"gemm", TrialOutcome::slower, 0.1 + 0.2, 0},
                     {"plan 1", TrialOutcome::wrong, 0, std::numeric_limits<double>::infinity()},
                     {chosen, TrialOutcome::chosen, 0.125, 1e-5}}};
}

// What `action` writes to the log.
template <typename Action>
std::string logged(Action&& action) {
  testing::internal::CaptureStderr();
  {
    const Log log;
    action(&log);
  }
  return testing::internal::GetCapturedStderr();
}

class TuningCaches : public testing::Test {
 protected:
  TuningCache cache(const std::string& machine = "H100; driver 580") const {
    return {folder_ / "convoy", machine, nullptr};
  }
  // A file with one answer.
  std::filesystem::path filled() const {
    TuningCache made = cache();
    made.keep(decision("a", "plan 7"), false);
    return made.file();
  }
  void expect_replaced(const std::filesystem::path& file) const {
    EXPECT_FALSE(cache().find("a")) << read_text_file(file);
    cache().keep(decision("a", "plan 9"), false);
    EXPECT_EQ(cache().find("a").value().chosen, "plan 9");
  }

  TemporaryFolder folder_;
};

TEST(TuningFolder, IsXdgsOrTheHomesCache) {
  EXPECT_EQ(tuning_folder("/x", "/home/a"), "/x/convoy");
  EXPECT_EQ(tuning_folder(nullptr, "/home/a"), "/home/a/.cache/convoy");
  EXPECT_EQ(tuning_folder("relative", "/home/a"), "/home/a/.cache/convoy");
  EXPECT_EQ(tuning_folder("", "/home/a"), "/home/a/.cache/convoy");
  EXPECT_EQ(tuning_folder(nullptr, nullptr), "");
  EXPECT_EQ(tuning_folder(nullptr, ""), "");
}

TEST_F(TuningCaches, ASecondStartFindsWhatTheFirstKept) {
  const std::filesystem::path file = filled();
  EXPECT_EQ(file.parent_path(), folder_ / "convoy");
  const Decision kept = cache().find("a").value();
  const Decision wanted = decision("a", "plan 7");
  EXPECT_EQ(kept.what, wanted.what);
  EXPECT_EQ(kept.chosen, "plan 7");
  EXPECT_EQ(kept.source, DecisionSource::kept);
  ASSERT_EQ(kept.trials.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(kept.trials[i].name, wanted.trials[i].name);
    EXPECT_EQ(kept.trials[i].outcome, wanted.trials[i].outcome);
    EXPECT_EQ(kept.trials[i].milliseconds, wanted.trials[i].milliseconds);
    EXPECT_EQ(kept.trials[i].difference, wanted.trials[i].difference);
  }
  EXPECT_FALSE(cache().find("b"));
}

// Two processes that started together: each key has one answer, and none is lost.
TEST_F(TuningCaches, TheFirstWriterOfAKeyWins) {
  TuningCache mine = cache(), theirs = cache();
  EXPECT_EQ(mine.keep(decision("a", "plan 1"), false).chosen, "plan 1");
  EXPECT_EQ(theirs.keep(decision("a", "plan 2"), false).chosen, "plan 1");
  EXPECT_EQ(theirs.keep(decision("b", "plan 3"), false).chosen, "plan 3");
  EXPECT_EQ(mine.keep(decision("c", "plan 4"), false).chosen, "plan 4");
  for (const auto& [key, chosen] : {std::pair{"a", "plan 1"}, {"b", "plan 3"}, {"c", "plan 4"}})
    EXPECT_EQ(cache().find(key).value().chosen, chosen);
  EXPECT_EQ(theirs.keep(decision("a", "plan 5"), true).chosen, "plan 5");
  EXPECT_EQ(cache().find("a").value().chosen, "plan 5");
}

TEST_F(TuningCaches, MachinesDoNotShareAnswers) {
  const std::filesystem::path file = filled();
  TuningCache other = cache("H100; driver 590");
  EXPECT_NE(other.file(), file);
  EXPECT_FALSE(other.find("a"));
}

TEST_F(TuningCaches, AFileOfAnotherMachineIsReplaced) {
  const std::filesystem::path file = filled();
  TuningCache other = cache("H100; driver 590");
  other.keep(decision("a", "plan 2"), false);
  std::filesystem::copy_file(other.file(), file, std::filesystem::copy_options::overwrite_existing);
  expect_replaced(file);
}

TEST_F(TuningCaches, ADamagedFileIsReplaced) {
  const std::filesystem::path file = filled();
  const std::string sound = read_text_file(file);
  std::vector<std::string> damaged = {
      "", "[]", "{}", "null", "5", "{\"format\": \"convoy-tuning-1\"}", std::string(100, '\0')};
  for (const std::size_t length : {sound.size() / 4, sound.size() / 2, sound.size() - 3})
    damaged.push_back(sound.substr(0, length));
  std::string changed = sound;
  changed.replace(changed.rfind("plan 7"), 6, "plan 8");  // the checksum tells
  damaged.push_back(changed);
  for (const std::string& text : damaged) {
    write_file_atomically(file, text);
    expect_replaced(file);
  }
  write_file_atomically(file, sound);
  EXPECT_EQ(cache().find("a").value().chosen, "plan 7");
}

// A pipe would be waited for.
TEST_F(TuningCaches, WhatIsNoFileIsIgnored) {
  const std::filesystem::path file = filled();
  std::filesystem::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  expect_replaced(file);
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  EXPECT_FALSE(cache().find("a"));
  EXPECT_EQ(cache().keep(decision("a", "plan 1"), false).chosen, "plan 1");
}

TEST_F(TuningCaches, WithoutAFolderNothingIsKeptAndOneLineSaysSo) {
  std::ofstream(folder_ / "file") << "in the way";
  for (const std::filesystem::path& nowhere : {std::filesystem::path(), folder_ / "file" / "convoy"}) {
    const std::string lines = logged([&](const Log* log) {
      TuningCache none(nowhere, "H100", log);
      EXPECT_EQ(none.keep(decision("a", "plan 1"), false).chosen, "plan 1");
      EXPECT_EQ(none.keep(decision("b", "plan 2"), true).chosen, "plan 2");
      EXPECT_FALSE(none.find("a"));
    });
    EXPECT_EQ(std::ranges::count(lines, '\n'), 1) << lines;
    EXPECT_NE(lines.find("is not kept for the next start"), std::string::npos) << lines;
  }
}

TEST_F(TuningCaches, AFullDiskCostsAnswersAlone) {
  const std::filesystem::path file = filled();
  const std::string lines = logged([&](const Log* log) {
    TuningCache full(folder_ / "convoy", "H100; driver 580", log);
    const FileSizeLimit limit(500);  // room for the line, not for two answers
    EXPECT_EQ(full.keep(decision("b", "plan 1"), false).chosen, "plan 1");
    EXPECT_EQ(full.keep(decision("c", "plan 1"), false).chosen, "plan 1");
  });
  EXPECT_EQ(std::ranges::count(lines, '\n'), 1) << lines;
  EXPECT_TRUE(cache().find("a"));
  EXPECT_FALSE(cache().find("b"));
}

TEST_F(TuningCaches, ALockThatIsHeldIsNotWaitedFor) {
  const std::filesystem::path file = filled();
  const FolderLock lock(file.parent_path(), std::chrono::milliseconds(0), file.filename().string() + ".lock");
  ASSERT_TRUE(lock.held());
  const auto begin = std::chrono::steady_clock::now();
  const std::string lines = logged([&](const Log* log) {
    TuningCache waiting(folder_ / "convoy", "H100; driver 580", log);
    for (const char* key : {"b", "c", "d"})
      EXPECT_EQ(waiting.keep(decision(key, "plan 1"), false).chosen, "plan 1");
  });
  EXPECT_EQ(std::ranges::count(lines, '\n'), 1) << lines;
  EXPECT_NE(lines.find("another process is writing " + file.string()), std::string::npos) << lines;
  // 0.3 s of tries, once; ten times that for a loaded machine.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  EXPECT_FALSE(cache().find("b"));
  EXPECT_TRUE(cache().find("a"));
}

}  // namespace
}  // namespace convoy::test
