// Which folders are the classes: alike in folders, tars and zips.

#include <gtest/gtest.h>

#include "data/image_files.hpp"
#include "sources/source.hpp"
#include "sources/source_content.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

// The same files as a folder, a tar and a zip.
class ClassFolders : public testing::TestWithParam<std::string> {
 protected:
  SourceIndex index(const Members& members, const std::string& split = "train",
                    const std::vector<std::string>& known = {}) {
    const std::filesystem::path source = folder_ / fmt::format("source{}", ++sources_);
    if (GetParam() == "folder")
      for (const auto& [path, content] : members) write_file(source / path, content);
    else
      write_file(source, GetParam() == "tar" ? tar_bytes(members) : zip_bytes(members));
    return index_of(source, split, known);
  }
  void expect_refusal(const Members& members, std::initializer_list<std::string> parts,
                      const std::string& split = "train") {
    expect_error(ExitCode::usage, parts, [&] { index(members, split); });
  }
  const TemporaryFolder folder_;
  int sources_ = 0;
};

TEST_P(ClassFolders, AreBelowTheFoldersThatAllImagesShare) {
  const SourceIndex found = index({{"datasets/photos/cat/1.png", png_of(1)},
                                   {"datasets/photos/cat/more/2.png", png_of(2)},
                                   {"datasets/photos/dog/1.png", png_of(3)},
                                   {"datasets/list.txt", "x"}});
  EXPECT_EQ(found.class_folder, "datasets/photos");
  EXPECT_EQ(content_of(found), (Content{{"datasets/photos/cat/1.png", {"cat", 1}},
                                        {"datasets/photos/cat/more/2.png", {"cat", 2}},
                                        {"datasets/photos/dog/1.png", {"dog", 3}}}));
}

TEST_P(ClassFolders, AFolderWithImagesIsAClass) {
  EXPECT_EQ(index({{"set/cat/1.png", png_of(1)}, {"set/cat/more/2.png", png_of(2)}}).classes,
            (std::vector<std::string>{"cat"}));
  const SourceIndex found = index({{"cat/1.png", png_of(1)}, {"dog/1.png", png_of(2)}, {"3.png", png_of(3)}});
  EXPECT_EQ(content_of(found).at("3.png"), (std::pair<std::string, int>{"", 3}));
  EXPECT_EQ(found.class_folder, "");
}

// The validation split may have images of one class only, in folders that the training split also has below
// its classes.
TEST_P(ClassFolders, KnownClassIsAClassEvenIfItContainsAllImages) {
  const std::vector<std::string> known{"cat", "dog"};
  for (const Members& members :
       {Members{{"cat/x/5.png", png_of(5)}}, Members{{"cat/0/8.png", png_of(5)}, {"cat/1/9.png", png_of(5)}},
        Members{{"cat/8.png", png_of(5)}, {"cat/0/8.png", png_of(5)}, {"cat/1/9.png", png_of(5)}}}) {
    SCOPED_TRACE(members.front().first);
    for (const auto& [name, content] : content_of(index(members, "val", known)))
      EXPECT_EQ(content, (std::pair<std::string, int>{"cat", 5})) << name;
  }
  // All folders inside are classes: the outer one only has such a name.
  const Members inner{{"set/cat/cat/5.png", png_of(5)}, {"set/cat/dog/6.png", png_of(6)}};
  EXPECT_EQ(content_of(index(inner, "val", known)),
            (Content{{"set/cat/cat/5.png", {"cat", 5}}, {"set/cat/dog/6.png", {"dog", 6}}}));
  // Either level could be meant.
  expect_error(ExitCode::usage, {"its folder cat has the name of a class", "inside it, dog"}, [&] {
    index({{"cat/dog/5.png", png_of(5)}}, "val", known);
  });
  // Other folders are above the classes as before.
  EXPECT_EQ(
      index({{"set/val/cat/5.png", png_of(5)}, {"set/val/dog/6.png", png_of(6)}}, "val", known).class_folder,
      "set/val");
}

TEST_P(ClassFolders, ImageBesideClassFoldersIsInNoClass) {
  const SourceIndex found = index(
      {{"photos/cat/1.png", png_of(1)}, {"photos/dog/1.png", png_of(2)}, {"photos/logo.png", png_of(3)}});
  EXPECT_EQ(content_of(found), (Content{{"photos/cat/1.png", {"cat", 1}},
                                        {"photos/dog/1.png", {"dog", 2}},
                                        {"photos/logo.png", {"", 3}}}));
  EXPECT_EQ(found.class_folder, "photos");
}

TEST_P(ClassFolders, SplitsAreRefusedWhateverTheirNames) {
  for (const auto& [training, other] :
       std::vector<std::pair<std::string, std::string>>{{"train", "val"},
                                                        {"Train", "Test"},
                                                        {"TRAIN", "VALID"},
                                                        {"training_set", "test_set"},
                                                        {"training", "validation"},
                                                        {"train2017", "val2017"},
                                                        {"train-images", "testing"}}) {
    const Members members{{training + "/cat/1.png", png_of(1)},
                          {training + "/dog/1.png", png_of(1)},
                          {other + "/cat/1.png", png_of(1)}};
    expect_refusal(members, {"splits", fmt::format("source{}/{}", sources_ + 1, training)});
    expect_refusal(members, {"splits", fmt::format("source{}/{}", sources_ + 1, other)}, "val");
  }
}

TEST_P(ClassFolders, ClassesThatResembleSplitsAreClasses) {
  const SourceIndex found =
      index({{"train/1.png", png_of(1)}, {"car/1.png", png_of(1)}, {"testudo/1.png", png_of(1)}});
  EXPECT_EQ(found.classes, (std::vector<std::string>{"car", "testudo", "train"}));
  EXPECT_TRUE(found.warnings.empty());
  // Both kinds of split beside something else: no class has such a name, but it is not certain.
  const SourceIndex doubtful =
      index({{"train/1.png", png_of(1)}, {"val/1.png", png_of(1)}, {"chest_xray/1.png", png_of(1)}});
  ASSERT_EQ(doubtful.warnings.size(), 1U);
  EXPECT_NE(doubtful.warnings[0].find("splits"), std::string::npos);
}

TEST_P(ClassFolders, TheOtherSplitAloneIsRefused) {
  const Members training{{"set/train/cat/1.png", png_of(1)}, {"set/train/dog/1.png", png_of(1)}};
  EXPECT_EQ(index(training).classes, (std::vector<std::string>{"cat", "dog"}));
  expect_refusal(training, {"--split is val", "set/train"}, "val");
  const Members validation{{"Val/cat/1.png", png_of(1)}, {"Val/dog/1.png", png_of(1)}};
  EXPECT_EQ(index(validation, "val").classes, (std::vector<std::string>{"cat", "dog"}));
  expect_refusal(validation, {"--split is train", "Val"});
}

TEST_P(ClassFolders, ExtensionsInAnyCaseAndKnownForeignTypesCount) {
  const SourceIndex found =
      index({{"cat/1.PNG", png_of(1)}, {"cat/2.Jpg", png_of(1)}, {"dog/3.HEIC", "x"}, {"dog/4.gz", "x"}});
  EXPECT_EQ(found.items.size(), 3U);
  EXPECT_EQ(found.ignored, 1);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ClassFolders, testing::Values("folder", "tar", "zip"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace convoy::test
