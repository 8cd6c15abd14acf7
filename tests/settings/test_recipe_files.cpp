// Which file `--config` means: a file before a recipe, the recipes of an installation before those of the
// source tree.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "settings/recipes.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

class RecipeFiles : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"first", "second", "work"}) fs::create_directory(folder_ / name);
    for (const char* name : {"first/owt.cfg", "second/owt.cfg", "second/caffe.cfg", "second/notes.txt"})
      std::ofstream(folder_ / name) << "epochs = 1\n";
    before_ = fs::current_path();
    fs::current_path(folder_ / "work");
  }
  void TearDown() override { fs::current_path(before_); }

  fs::path find(const std::string& given) const {
    return find_recipe(given, {folder_ / "absent", folder_ / "first", folder_ / "second"});
  }
  std::string refusal(const std::string& given) const {
    try {
      find(given);
    } catch (const Error& error) {
      EXPECT_EQ(error.category(), ExitCode::io);
      return error.what();
    }
    return "not refused";
  }

  test::TemporaryFolder folder_;
  fs::path before_;
};

TEST_F(RecipeFiles, ByNameFromTheFirstFolderThatHasIt) {
  EXPECT_EQ(find("owt"), folder_ / "first/owt.cfg");
  EXPECT_EQ(find("owt.cfg"), folder_ / "first/owt.cfg");
  EXPECT_EQ(find("caffe"), folder_ / "second/caffe.cfg");
}

TEST_F(RecipeFiles, AFileOfThatNameComesFirst) {
  std::ofstream("owt") << "epochs = 2\n";
  EXPECT_EQ(find("owt"), "owt");
  EXPECT_EQ(find("owt.cfg"), folder_ / "first/owt.cfg");
}

// A run's output folder often has the recipe's name.
TEST_F(RecipeFiles, AFolderOfThatNameDoesNot) {
  fs::create_directory("owt");
  EXPECT_EQ(find("owt"), folder_ / "first/owt.cfg");
  fs::create_directory("runs");
  EXPECT_EQ(find("runs"), "runs");  // reading it gives the reason
}

TEST_F(RecipeFiles, APathIsNeverAName) {
  EXPECT_EQ(find("configs/owt.cfg"), "configs/owt.cfg");
  EXPECT_EQ(find("./owt"), "./owt");
}

TEST_F(RecipeFiles, AnUnknownNameIsRefusedWithAllNames) {
  const std::string said = refusal("cafe");
  EXPECT_NE(said.find("did you mean caffe?"), std::string::npos) << said;
  EXPECT_NE(said.find("the recipes are caffe, owt"), std::string::npos) << said;
  EXPECT_EQ(said.find("notes"), std::string::npos) << said;
  EXPECT_EQ(refusal("nothing-like-it.cfg").find("did you mean"), std::string::npos);
}

TEST_F(RecipeFiles, WithoutRecipesTheFoldersAreNamed) {
  try {
    find_recipe("owt", {folder_ / "absent"});
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find((folder_ / "absent").string()), std::string::npos)
        << error.what();
  }
}

TEST(RecipeFolders, OfAnInstallationAndOfABundle) {
  const auto contains = [](const std::vector<fs::path>& folders, const fs::path& wanted) {
    return std::find(folders.begin(), folders.end(), wanted) != folders.end();
  };
  EXPECT_TRUE(contains(recipe_folders("/opt/convoy/bin/convoy"), "/opt/convoy/share/convoy/configs"));
  EXPECT_TRUE(contains(recipe_folders("/tmp/bundle/lib/convoy/convoy"), "/tmp/bundle/share/convoy/configs"));
}

// This build finds the recipes of its source tree, whatever the current folder is.
TEST_F(RecipeFiles, OfTheSourceTree) {
  const fs::path owt = find_recipe("owt", recipe_folders());
  EXPECT_TRUE(fs::exists(owt)) << owt;
}

}  // namespace
}  // namespace convoy
