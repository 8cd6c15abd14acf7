// Zips as sources, as Kaggle distributes data sets, and folders in archives as sources.

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "data/image_files.hpp"
#include "sources/source.hpp"
#include "sources/source_content.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using Kind = ArchiveEntry::Kind;

class ZipSources : public testing::Test {
 protected:
  SourceIndex index(const std::string& bytes) {
    write_file(folder_ / "a.zip", bytes);
    return index_of(folder_ / "a.zip");
  }
  void expect_damage(const std::string& bytes, std::initializer_list<std::string> parts) {
    expect_error(ExitCode::bad_data, parts, [&] { index(bytes); });
  }
  const TemporaryFolder folder_;
};

const Members& cat_and_dog() {
  static const Members members{{"cat/1.png", png_of(1)}, {"cat/notes.txt", "x"}, {"dog/2.png", png_of(2)}};
  return members;
}

const Content& cat_and_dog_content() {
  static const Content content{{"cat/1.png", {"cat", 1}}, {"dog/2.png", {"dog", 2}}};
  return content;
}

TEST_F(ZipSources, StoredDeflatedAndZip64) {
  for (const std::string options :
       {"compression=deflate", "compression=store", "compression=deflate,zip64"}) {
    SCOPED_TRACE(options);
    const SourceIndex found = index(zip_bytes(cat_and_dog(), options));
    EXPECT_EQ(found.kind, "zip of images");
    EXPECT_EQ(found.ignored, 1);
    EXPECT_EQ(content_of(found), cat_and_dog_content());
  }
}

// `size` bytes of `number`, little-endian.
std::string bytes_of(std::uint64_t number, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xFF);
  return bytes;
}

// The zip's members again, `shift` bytes further in the file, with the long offsets that this needs.
void write_shifted(const std::filesystem::path& path, const std::string& zip, std::uint64_t shift) {
  const auto list = zip.find("PK\1\2"), end = zip.rfind("PK\5\6");
  std::string entries;
  for (std::size_t at = list; at < end;) {
    const auto field = [&](std::size_t place, int size) {
      std::uint64_t value = 0;
      for (int i = 0; i < size; ++i)
        value |= std::uint64_t{static_cast<unsigned char>(zip[at + place + static_cast<std::size_t>(i)])}
                 << (8 * i);
      return value;
    };
    const std::size_t name = field(28, 2), extra = field(30, 2);
    std::string fixed = zip.substr(at, 46);
    fixed.replace(30, 2, bytes_of(extra + 12, 2)).replace(42, 4, "\xFF\xFF\xFF\xFF");
    entries += fixed + zip.substr(at + 46, name + extra) + bytes_of(1, 2) + bytes_of(8, 2) +
               bytes_of(field(42, 4) + shift, 8);
    at += 46 + name + extra + field(32, 2);
  }
  const std::uint64_t list_at = shift + list, long_end = list_at + entries.size();
  const std::string count = zip.substr(end + 10, 2) + std::string(6, '\0');
  const std::string tail = entries + "PK\6\6" + bytes_of(44, 8) + bytes_of(45, 2) + bytes_of(45, 2) +
                           bytes_of(0, 8) + count + count + bytes_of(entries.size(), 8) +
                           bytes_of(list_at, 8) + "PK\6\7" + bytes_of(0, 4) + bytes_of(long_end, 8) +
                           bytes_of(1, 4) + "PK\5\6" + bytes_of(0, 4) + std::string(12, '\xFF') +
                           bytes_of(0, 2);
  write_file(path, zip.substr(0, list));
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(shift));
  file << zip.substr(0, list) << tail;
}

// A data set's zip has more bytes than 32-bit offsets reach. The file is a hole, except at its ends.
TEST_F(ZipSources, MembersBeyondFourGibibytes) {
  write_shifted(folder_ / "a.zip", zip_bytes(cat_and_dog()), std::uint64_t{5} << 30);
  EXPECT_EQ(content_of(index_of(folder_ / "a.zip")), cat_and_dog_content());
}

TEST_F(ZipSources, ManyMembersAreFoundAtTheirPlaces) {
  Members members;
  Content expected;
  for (int i = 0; i < 2500; ++i) {
    const std::string id = i % 2 == 0 ? "even" : "odd", name = fmt::format("{}/{}.png", id, i);
    members.emplace_back(name, png_of(i % 250));
    expected[name] = {id, i % 250};
  }
  EXPECT_EQ(content_of(index(zip_bytes(members))), expected);
}

TEST_F(ZipSources, FlatZipHasNoClasses) {
  const SourceIndex found = index(zip_bytes({{"1.png", png_of(1)}, {"2.png", png_of(2)}}));
  EXPECT_EQ(content_of(found), (Content{{"1.png", {"", 1}}, {"2.png", {"", 2}}}));
}

TEST_F(ZipSources, AdditionsOfMacOsAreIgnored) {
  Members members = cat_and_dog();
  members.emplace_back("__MACOSX/cat/._1.png", "x");
  members.emplace_back("__MACOSX/cat/1.png", "x");
  members.emplace_back("cat/._1.png", "x");
  const SourceIndex found = index(zip_bytes(members));
  EXPECT_EQ(content_of(found), cat_and_dog_content());
  EXPECT_EQ(found.ignored, 4);
}

TEST_F(ZipSources, SymbolicLinksAreResolved) {
  const SourceIndex found = index(zip_of({{Kind::file, "cat/1.png", png_of(1)},
                                          {Kind::symbolic_link, "dog/1.png", "../cat/1.png"},
                                          {Kind::symbolic_link, "dog/2.png", "nowhere.png"}}));
  EXPECT_EQ(flaw_of(found, "dog/1.png"), "");
  EXPECT_EQ(flaw_of(found, "dog/2.png"),
            "is a symbolic link to nowhere.png, which the archive does not contain");
  std::vector<std::uint8_t> square(image_side * image_side * 3);
  const SourceReader reader(found);
  for (const SourceItem& item : found.items) {
    if (item.flaw.empty()) {
      reader.read_square(item, image_side, square);
      EXPECT_EQ(square[0], 1) << item.name;
    } else {
      expect_error(ExitCode::bad_data, {"nowhere.png"},
                   [&] { reader.read_square(item, image_side, square); });
    }
  }
}

// A zip of cat/1.png whose list of members gives it this size, in the Zip64 field.
std::string with_packed_bytes(std::uint64_t bytes) {
  const std::string zip = zip_bytes({{"cat/1.png", png_of(1)}}), name = "cat/1.png";
  const auto list = zip.find("PK\1\2"), end = zip.rfind("PK\5\6");
  std::string entry = zip.substr(list, 46), tail = zip.substr(end);
  entry.replace(20, 4, "\xFF\xFF\xFF\xFF").replace(30, 2, bytes_of(12, 2)).replace(32, 2, bytes_of(0, 2));
  entry += name + bytes_of(1, 2) + bytes_of(8, 2) + bytes_of(bytes, 8);
  tail.replace(12, 4, bytes_of(entry.size(), 4));
  return zip.substr(0, list) + entry + tail;
}

TEST_F(ZipSources, TornAndDamagedZipsAreNamed) {
  const std::string whole = zip_bytes(cat_and_dog());
  expect_damage(whole.substr(0, whole.size() / 2), {"a.zip", "truncated", "list of members"});
  std::string header = whole;
  header[header.rfind("PK\3\4")] = 'X';  // of the last member's own header
  const SourceIndex found = index(header);
  expect_error(ExitCode::bad_data, {"its header in the zip is damaged"}, [&] { content_of(found); });
  std::string list = whole;
  const auto second = list.rfind("PK\1\2", list.rfind("PK\1\2") - 1);
  list[second] = 'X';
  expect_damage(list, {"a.zip", "list of members"});
  expect_damage(whole.substr(10), {"a.zip", "does not begin as a zip"});
  // The sum of this size and the header's is a small number.
  expect_damage(with_packed_bytes(~std::uint64_t{0} - 10), {"a.zip", "cat/1.png is outside the file"});
  // As many bytes are missing in the middle as a lost packet has.
  expect_damage(std::string(whole).erase(60, 40), {"a.zip"});
}

TEST_F(ZipSources, AnotherNumberOfMembersThanStatedIsRefused) {
  std::string zip = zip_bytes(cat_and_dog());
  const auto end = zip.rfind("PK\5\6");
  zip[end + 8] = zip[end + 10] = 2;
  expect_damage(zip, {"a.zip", "should have 2 members but lists 3"});
}

// Returns the error of reading the first image of a zip.
std::string read_error(const SourceIndex& index) {
  const SourceReader reader(index);
  std::vector<std::uint8_t> square(image_side * image_side * 3);
  for (const SourceItem& item : index.items) {
    if (item.name != "cat/1.png") continue;
    try {
      reader.read_square(item, image_side, square);
    } catch (const Error& error) {
      EXPECT_EQ(error.category(), ExitCode::bad_data);
      return error.what();
    }
  }
  return "none";
}

TEST_F(ZipSources, DamagedBytesAreFoundWhenTheyAreRead) {
  for (const std::string options : {"compression=deflate", "compression=store"}) {
    SCOPED_TRACE(options);
    std::string bytes = zip_bytes(cat_and_dog(), options);
    EXPECT_EQ(read_error(index(bytes)), "none");
    const std::size_t place = bytes.find("cat/1.png") + 50;  // in the first member's bytes
    bytes[place] = static_cast<char>(bytes[place] ^ 4);
    EXPECT_NE(read_error(index(bytes)).find("in the zip are damaged"), std::string::npos)
        << read_error(index(bytes));
  }
}

TEST_F(ZipSources, PathsThatLeadOutAndRepeatedNamesAreRefused) {
  expect_damage(zip_bytes({{"cat/1.png", png_of(1)}, {"../dog/1.png", png_of(1)}}),
                {"../dog/1.png", "out of"});
  expect_damage(zip_bytes({{"cat/1.png", png_of(1)}, {"/dog/1.png", png_of(1)}}), {"/dog/1.png", "out of"});
  expect_damage(zip_bytes({{"cat/1.png", png_of(1)}, {"dog/1.png", png_of(1)}, {"cat/1.png", png_of(2)}}),
                {"cat/1.png", "more than once"});
}

// Replaces a field of 16 bits in the central entry and the own header of the only member.
std::string with_field(std::string zip, std::size_t own, std::size_t central, std::uint16_t value) {
  std::memcpy(zip.data() + own, &value, sizeof value);
  std::memcpy(zip.data() + zip.rfind("PK\1\2") + central, &value, sizeof value);
  return zip;
}

TEST_F(ZipSources, OtherMethodsAndEncryptionAreAFlaw) {
  const std::string zip = zip_bytes({{"cat/1.png", png_of(1)}});
  EXPECT_EQ(flaw_of(index(with_field(zip, 8, 10, 93)), "cat/1.png"),
            "is compressed with Zstandard, only Deflate is supported: extract the zip and pack the folder");
  EXPECT_EQ(flaw_of(index(with_field(zip, 6, 8, 9)), "cat/1.png"),
            "is encrypted: extract the zip and pack the folder");
  EXPECT_NE(read_error(index(with_field(zip, 6, 8, 9))).find("encrypted"), std::string::npos);
}

TEST_F(ZipSources, BackslashesOfWindowsSeparateFolders) {
  std::string zip = zip_bytes({{"cat_1.png", png_of(1)}, {"dog_2.png", png_of(2)}});
  for (auto place = zip.find('_'); place != std::string::npos; place = zip.find('_', place + 1))
    if (zip.compare(place - 3, 3, "cat") == 0 || zip.compare(place - 3, 3, "dog") == 0) zip[place] = '\\';
  for (auto place = zip.find("PK\1\2"); place != std::string::npos; place = zip.find("PK\1\2", place + 1))
    zip[place + 5] = 0;  // made on MS-DOS or Windows
  EXPECT_EQ(content_of(index(zip)), cat_and_dog_content());
}

TEST_F(ZipSources, EmptyZipAndZipWithoutImages) {
  write_file(folder_ / "a.zip", zip_bytes({}));
  expect_error(ExitCode::usage, {"contains no images"}, [&] { index_of(folder_ / "a.zip"); });
  write_file(folder_ / "a.zip", zip_bytes({{"set/n01.tar", "x"}}));
  expect_error(ExitCode::usage, {"contains no images", "set/n01.tar", "extract"},
               [&] { index_of(folder_ / "a.zip"); });
}

// As Kaggle distributes ILSVRC.
Members kaggle() {
  const std::string root = "ILSVRC/Data/CLS-LOC/";
  return {{root + "train/n01/n01_1.JPEG", png_of(1)},
          {root + "train/n02/n02_1.JPEG", png_of(2)},
          {root + "val/ILSVRC2012_val_00000001.JPEG", png_of(3)},
          {root + "test/ILSVRC2012_test_00000001.JPEG", png_of(4)},
          {"ILSVRC/Annotations/CLS-LOC/train/n01/n01_1.xml", "<a/>"}};
}

TEST(FoldersInArchives, AreSources) {
  const TemporaryFolder folder;
  write_file(folder / "a.zip", zip_bytes(kaggle()));
  write_file(folder / "a.tar", tar_bytes(kaggle()));
  for (const std::string archive : {"a.zip", "a.tar"}) {
    SCOPED_TRACE(archive);
    const std::filesystem::path splits = folder / archive / "ILSVRC/Data/CLS-LOC";
    expect_error(ExitCode::usage, {archive + "/ILSVRC/Data/CLS-LOC/train", "splits (test, train, val)"},
                 [&] { index_of(folder / archive); });
    expect_error(ExitCode::usage, {archive + "/ILSVRC/Data/CLS-LOC/test"}, [&] { index_of(splits, "val"); });
    EXPECT_EQ(content_of(index_of(splits / "train")),
              (Content{{"n01/n01_1.JPEG", {"n01", 1}}, {"n02/n02_1.JPEG", {"n02", 2}}}));
    EXPECT_EQ(content_of(index_of(splits / "val/", "val")),
              (Content{{"ILSVRC2012_val_00000001.JPEG", {"", 3}}}));
    expect_error(ExitCode::usage, {archive, "no folder ILSVRC/Data/DET", "has CLS-LOC"},
                 [&] { index_of(folder / archive / "ILSVRC/Data/DET"); });
    expect_error(ExitCode::usage, {archive, "no folder tran", "it has ILSVRC"},
                 [&] { index_of(folder / archive / "tran"); });
    expect_error(ExitCode::usage, {"is a file, not a folder"},
                 [&] { index_of(splits / "val/ILSVRC2012_val_00000001.JPEG"); });
  }
  write_file(folder / "words", "x");
  expect_error(ExitCode::usage, {"words is neither"}, [&] { index_of(folder / "words/train"); });
}

TEST(FoldersInArchives, LinksMayLeadOutOfTheSelectedFolder) {
  const TemporaryFolder folder;
  write_file(folder / "a.tar", tar_of({{Kind::file, "all/1.png", png_of(1)},
                                       {Kind::symbolic_link, "train/cat/1.png", "../../all/1.png"},
                                       {Kind::hard_link, "train/dog/1.png", "all/1.png"}}));
  EXPECT_EQ(content_of(index_of(folder / "a.tar/train")),
            (Content{{"cat/1.png", {"cat", 1}}, {"dog/1.png", {"dog", 1}}}));
}

}  // namespace
}  // namespace convoy::test
