// One process at a time holds a folder. Another open file of this process stands for another process: flock
// tells them apart alike.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "base/folder_lock.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

using test::TemporaryFolder;
using namespace std::chrono_literals;

TEST(FolderLock, TheSecondIsRefusedAndToldWhoHoldsIt) {
  const TemporaryFolder folder;
  const FolderLock first(folder.path(), 0ms);
  ASSERT_TRUE(first.held());
  try {
    const FolderLock second(folder.path(), 50ms);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::usage);
    const std::string text = error.what();
    EXPECT_NE(text.find(folder.path().string()), std::string::npos) << text;
    EXPECT_NE(text.find("process " + std::to_string(::getpid())), std::string::npos) << text;
  }
}

TEST(FolderLock, IsFreeOnceTheFirstHasGone) {
  const TemporaryFolder folder;
  std::optional<FolderLock> first(std::in_place, folder.path(), 0ms);
  FolderLock kept = std::move(*first);
  first.reset();
  EXPECT_THROW(FolderLock(folder.path(), 0ms), Error) << "a moved lock is still held";
  kept = FolderLock();
  EXPECT_TRUE(FolderLock(folder.path(), 0ms).held());
}

TEST(FolderLock, OthersSeeThatItIsHeldAndLeaveItAlone) {
  const TemporaryFolder folder;
  EXPECT_FALSE(folder_is_locked(folder.path())) << "nobody ever locked it";
  EXPECT_FALSE(std::filesystem::exists(folder / ".lock"));
  std::optional<FolderLock> held(std::in_place, folder.path(), 0ms);
  EXPECT_EQ(folder_is_locked(folder.path()), true);
  held.reset();
  EXPECT_EQ(folder_is_locked(folder.path()), false);
  EXPECT_TRUE(FolderLock(folder.path(), 0ms).held()) << "looking left it free";
}

TEST(FolderLock, WaitsForOneThatIsAboutToEnd) {
  const TemporaryFolder folder;
  std::optional<FolderLock> first(std::in_place, folder.path(), 0ms);
  std::thread ending([&] {
    std::this_thread::sleep_for(200ms);
    first.reset();
  });
  EXPECT_TRUE(FolderLock(folder.path(), 30s).held());
  ending.join();
}

// In a folder that a group shares the file belongs to whoever ran there first.
TEST(FolderLock, HoldsAgainstUsersWhoCannotWriteTheFile) {
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  std::optional<FolderLock> first(std::in_place, folder.path(), 0ms);
  std::filesystem::permissions(folder / ".lock", static_cast<std::filesystem::perms>(0444));
  const bool root = ::geteuid() == 0;  // who can write everything
  ASSERT_TRUE(!root || ::seteuid(65534) == 0);
  EXPECT_THROW(FolderLock(folder.path(), 0ms), Error);
  first.reset();
  EXPECT_TRUE(FolderLock(folder.path(), 0ms).held());
  ASSERT_TRUE(!root || ::seteuid(0) == 0);
}

// What cannot be locked is left to the errors of writing there.
TEST(FolderLock, HoldsNothingWhereNoFileCanBeMade) {
  EXPECT_FALSE(FolderLock("/nowhere/at/all", 0ms).held());
  EXPECT_FALSE(FolderLock().held());
}

}  // namespace
}  // namespace convoy
