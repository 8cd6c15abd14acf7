// The output folder of a run before it starts: unsuitable ones are refused, and it can be written.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "checkpoint/output_folder.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

// Another user than root, whom permissions do not stop.
class OrdinaryUser {
 public:
  OrdinaryUser() {
    if (user_ == 0 && ::seteuid(65534) != 0) throw std::runtime_error("cannot become another user");
  }
  ~OrdinaryUser() {
    if (::seteuid(user_) != 0) std::abort();
  }
  OrdinaryUser(const OrdinaryUser&) = delete;
  OrdinaryUser& operator=(const OrdinaryUser&) = delete;

 private:
  uid_t user_ = ::geteuid();
};

void allow_all(const fs::path& path, bool write) {
  fs::permissions(path, fs::perms::all);
  if (!write)
    fs::permissions(path, fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write,
                    fs::perm_options::remove);
}

TEST(OutputFolder, IsMade) {
  const test::TemporaryFolder folder;
  const OutputFolder output = inspect_output_folder(folder / "a" / "b");
  EXPECT_FALSE(output.holds_run);
  create_output_folder(output);
  EXPECT_TRUE(fs::is_directory(folder / "a" / "b" / "checkpoints"));
}

TEST(OutputFolder, OneThatCannotBeWrittenIsRefusedAtOnce) {
  const test::TemporaryFolder folder;
  const fs::path run = folder / "run";
  allow_all(folder.path(), true);
  fs::create_directories(run / "checkpoints");
  const OutputFolder output = inspect_output_folder(run);
  for (const fs::path& place : {run, run / "checkpoints"}) {
    allow_all(run, true), allow_all(run / "checkpoints", true);
    {
      const OrdinaryUser user;
      EXPECT_NO_THROW(create_output_folder(output));
    }
    allow_all(place, false);
    const OrdinaryUser user;
    test::expect_error(ExitCode::io, {"--output " + run.string(), place.string(), "Permission denied"},
                       [&] { create_output_folder(output); });
  }
  allow_all(run, true), allow_all(run / "checkpoints", true);
}

TEST(OutputFolder, AFileAndAStoreAreNone) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "store.json") << "{}";
  test::expect_error(ExitCode::usage, {"is a store"}, [&] { inspect_output_folder(folder.path()); });
  test::expect_error(ExitCode::usage, {"is a file"}, [&] { inspect_output_folder(folder / "store.json"); });
}

}  // namespace
}  // namespace convoy
