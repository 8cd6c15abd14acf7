// Tars that are damaged, cut off, joined or contain links: no image may be missing without a word.

#include <gtest/gtest.h>

#include <fstream>

#include "data/image_files.hpp"
#include "sources/source.hpp"
#include "sources/source_content.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using Kind = ArchiveEntry::Kind;

constexpr std::size_t block = 512;

// Three images in two classes; the header of the second is at byte 1024.
std::string three_images() {
  return tar_bytes({{"ant/1.png", png_of(1)}, {"ant/2.png", png_of(2)}, {"bee/3.png", png_of(3)}});
}

// The bytes up to the end marker.
std::string without_end(const std::string& tar) {
  return tar.substr(0, (tar.find_last_not_of('\0') / block + 1) * block);
}

class TarSources : public testing::Test {
 protected:
  SourceIndex index(const std::string& bytes) {
    write_file(folder_ / "a.tar", bytes);
    return index_of(folder_ / "a.tar");
  }
  void expect_damage(const std::string& bytes, std::initializer_list<std::string> parts) {
    expect_error(ExitCode::bad_data, parts, [&] { index(bytes); });
  }
  const TemporaryFolder folder_;
};

TEST_F(TarSources, DamagedHeaderInTheMiddleIsNamedWithItsPlace) {
  std::string tar = three_images();
  ASSERT_EQ(tar.substr(1024, 9), "ant/2.png");
  tar[1024] = 'X';  // the checksum no longer fits
  expect_damage(tar, {"a.tar", "damaged", "byte 1024"});
  expect_damage(tar_bytes({{"n1.tar", three_images()}, {"n2.tar", tar}}), {"n2.tar in ", "a.tar", "damaged"});
}

// Its checksum does not cover the extended header's content, which holds the name.
TEST_F(TarSources, DamagedLongNameIsNoOtherName) {
  std::string tar =
      tar_bytes({{"ant/1.png", png_of(1)}, {"bee/" + std::string(150, 'n') + ".png", png_of(2)}});
  const auto name = tar.find("path=bee/");
  ASSERT_NE(name, std::string::npos);
  tar.replace(name / block * block, block, block, '\0');
  expect_damage(tar, {"a.tar", "damaged", "byte 1024"});
}

TEST_F(TarSources, ZeroedHeaderInTheMiddleIsNotTheEnd) {
  std::string tar = three_images();
  tar.replace(1024, block, block, '\0');
  expect_damage(tar, {"a.tar", "block of zeros at byte 1024", "more data follows at byte 1536"});
  expect_damage(tar_bytes({{"n1.tar", tar}, {"n2.tar", three_images()}}), {"n1.tar in ", "block of zeros"});
}

TEST_F(TarSources, JoinedTarsAreRefusedWithTheRightWayToJoinThem) {
  const std::string tar = three_images();
  expect_damage(tar + tar_bytes({{"bee/4.png", png_of(4)}}),
                {"tar --concatenate", "zeros at byte 3072", "data follows at byte 4096"});
}

TEST_F(TarSources, TarThatIsCutBetweenTwoMembersIsRefused) {
  expect_damage(three_images().substr(0, 2048), {"a.tar", "truncated", "ends at byte 2048", "/dev/zero"});
  // After the advice for a tar that is complete nonetheless was followed.
  EXPECT_EQ(index(three_images().substr(0, 2048) + std::string(1024, '\0')).items.size(), 2U);
  const std::string cut = three_images().substr(0, 2048);
  expect_damage(tar_bytes({{"n1.tar", cut}, {"n2.tar", three_images()}}), {"n1.tar in ", "truncated"});
}

TEST_F(TarSources, AnyAmountOfFillingIsFine) {
  const std::string tar = without_end(three_images());
  for (const std::size_t zeros :
       {std::size_t{512}, std::size_t{1024}, std::size_t{10240}, std::size_t{1} << 20})
    EXPECT_EQ(index(tar + std::string(zeros, '\0')).items.size(), 3U) << zeros;
}

// A download tool may reserve the whole file first.
TEST_F(TarSources, LargeRemainderOfZerosIsAnIncompleteFile) {
  expect_damage(without_end(three_images()) + std::string(std::size_t{8} << 20, '\0'),
                {"incomplete", "zeros"});
}

TEST_F(TarSources, LinksHaveTheBytesOfTheirTargets) {
  const SourceIndex found = index(tar_of({{Kind::symbolic_link, "cat/0.png", "9.png"},  // of a later member
                                          {Kind::file, "cat/1.png", png_of(1)},
                                          {Kind::hard_link, "bird/1.png", "cat/1.png"},
                                          {Kind::hard_link, "bird/2.png", "./bird/1.png"},  // over a link
                                          {Kind::symbolic_link, "dog/1.png", "../cat/./1.png"},
                                          {Kind::symbolic_link, "dog/2.png", "1.png"},
                                          {Kind::file, "cat/9.png", png_of(9)},
                                          {Kind::symbolic_link, "dog/readme.txt", "/etc/motd"}}));
  EXPECT_EQ(found.classes, (std::vector<std::string>{"bird", "cat", "dog"}));
  EXPECT_EQ(found.ignored, 1);
  EXPECT_EQ(content_of(found), (Content{{"cat/0.png", {"cat", 9}},
                                        {"cat/1.png", {"cat", 1}},
                                        {"cat/9.png", {"cat", 9}},
                                        {"bird/1.png", {"bird", 1}},
                                        {"bird/2.png", {"bird", 1}},
                                        {"dog/1.png", {"dog", 1}},
                                        {"dog/2.png", {"dog", 1}}}));
}

TEST_F(TarSources, LinksAreFollowedThroughLinkedFolders) {
  // "now" is not an image; a link through it leads to one.
  const SourceIndex found = index(tar_of({{Kind::file, "cat/1.png", png_of(1)},
                                          {Kind::file, "dog/1.png", png_of(2)},
                                          {Kind::symbolic_link, "dog/.now", "../cat"},
                                          {Kind::symbolic_link, "dog/2.png", ".now/1.png"}}));
  EXPECT_EQ(content_of(found).at("dog/2.png"), (std::pair<std::string, int>{"dog", 1}));
}

TEST_F(TarSources, LinksToNothingHaveAFlaw) {
  const SourceIndex found =
      index(tar_of({{Kind::file, "cat/1.png", png_of(1)},
                    {Kind::file, "dog/1.png", png_of(1)},
                    {Kind::symbolic_link, "cat/absolute.png", "/data/1.png"},
                    {Kind::symbolic_link, "cat/above.png", "../../1.png"},
                    {Kind::hard_link, "cat/gone.png", "cat/nowhere.png"},
                    {Kind::symbolic_link, "cat/a.png", "b.png"},
                    {Kind::symbolic_link, "cat/b.png", "a.png"},
                    {Kind::fifo, "cat/pipe.png", ""},
                    {Kind::sparse_file, "cat/holes.png", std::string(99'999, '\0') + "x"}}));
  EXPECT_EQ(found.items.size(), 9U);
  EXPECT_EQ(flaw_of(found, "cat/holes.png"), "is stored sparse: create the tar without --sparse");
  EXPECT_EQ(flaw_of(found, "cat/absolute.png"),
            "is a symbolic link to /data/1.png, which is outside the archive");
  EXPECT_EQ(flaw_of(found, "cat/above.png"),
            "is a symbolic link to ../../1.png, which is outside the archive");
  EXPECT_EQ(flaw_of(found, "cat/gone.png"),
            "is a hard link to cat/nowhere.png, which the archive does not contain");
  EXPECT_EQ(flaw_of(found, "cat/a.png"), "is a symbolic link to b.png, which leads back to itself");
  EXPECT_EQ(flaw_of(found, "cat/pipe.png"), "is a device or FIFO, not a file");
  EXPECT_EQ(flaw_of(found, "cat/1.png"), "");
}

TEST_F(TarSources, LinkToAFolderIsRefusedByName) {
  expect_damage(tar_of({{Kind::file, "cat/1.png", png_of(1)},
                        {Kind::file, "dog/1.png", png_of(1)},
                        {Kind::symbolic_link, "bee", "cat"}}),
                {"a.tar", "bee", "is a folder"});
  expect_damage(tar_of({{Kind::file, "cat/1.png", png_of(1)},
                        {Kind::file, "dog/1.png", png_of(1)},
                        {Kind::symbolic_link, "bee", "/data/bee"}}),
                {"bee", "outside the archive"});
}

TEST_F(TarSources, PathsAreCleanedOrRefused) {
  EXPECT_EQ(content_of(index(tar_bytes({{"/cat//./1.png", png_of(1)}, {"./dog/2.png", png_of(2)}}))),
            (Content{{"cat/1.png", {"cat", 1}}, {"dog/2.png", {"dog", 2}}}));
  expect_damage(tar_bytes({{"cat/../../1.png", png_of(1)}}), {"cat/../../1.png", "leads out of"});
}

TEST_F(TarSources, FoldersAndHiddenFilesAreNoImages) {
  const SourceIndex found = index(tar_of({{Kind::folder, "./", ""},
                                          {Kind::folder, "cat.png/", ""},
                                          {Kind::file, "cat.png/1.png", png_of(1)},
                                          {Kind::file, "dog/2.png", png_of(2)},
                                          {Kind::folder, "eel/", ""},
                                          {Kind::file, "dog/._2.png", "x"},
                                          {Kind::file, ".cache/3.png", "x"},
                                          {Kind::file, "__MACOSX/dog/3.png", "x"}}));
  EXPECT_EQ(content_of(found), (Content{{"cat.png/1.png", {"cat.png", 1}}, {"dog/2.png", {"dog", 2}}}));
  EXPECT_EQ(found.ignored, 3);
  ASSERT_EQ(found.warnings.size(), 1U);
  EXPECT_NE(found.warnings[0].find("do not become classes: eel"), std::string::npos);
}

TEST_F(TarSources, ImagesBesideClassTarsAreRefused) {
  write_file(folder_ / "a.tar",
             tar_bytes({{"n1.tar", three_images()}, {"n2.tar", three_images()}, {"x.png", png_of(1)}}));
  expect_error(ExitCode::usage, {"x.png", "n1.tar", "both"}, [&] { index_of(folder_ / "a.tar"); });
}

}  // namespace
}  // namespace convoy::test
