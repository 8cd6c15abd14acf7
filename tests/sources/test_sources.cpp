// Each kind of source is detected from its content, listed with the right names and classes, and read at the
// right place.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file_descriptor.hpp"
#include "data/image_files.hpp"
#include "sources/class_list.hpp"
#include "sources/label_list.hpp"
#include "sources/source.hpp"
#include "sources/source_content.hpp"
#include "sources/tar_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

TEST(Sources, ImageFolderNestedLinkedAndUntidy) {
  const TemporaryFolder folder;
  write_file(folder / "data/cat/1.JPEG", png_of(1));
  write_file(folder / "data/cat/deep/er/2.png", png_of(2));
  write_file(folder / "data/ant/3.jpg", jpeg_bytes(picture_of(100)));
  write_file(folder / "data/ant/notes.txt", "x");
  write_file(folder / "data/.DS_Store", "x");
  write_file(folder / "data/ant/._3.jpg", "x");
  write_file(folder / "data/.cache/4.jpg", "x");
  write_file(folder / "elsewhere/5.png", png_of(5));
  std::filesystem::create_directory_symlink(folder / "elsewhere", folder / "data/bee");
  const SourceIndex index = index_of(folder / "data");
  EXPECT_EQ(index.kind, "image folder");
  EXPECT_EQ(index.classes, (std::vector<std::string>{"ant", "bee", "cat"}));
  EXPECT_EQ(index.ignored, 3);
  const Content content = content_of(index);
  EXPECT_EQ(content, (Content{{"cat/1.JPEG", {"cat", 1}},
                              {"cat/deep/er/2.png", {"cat", 2}},
                              {"ant/3.jpg", {"ant", content.at("ant/3.jpg").second}},
                              {"bee/5.png", {"bee", 5}}}));
}

TEST(Sources, LinkThatLeadsBackUpIsRefused) {
  const TemporaryFolder folder;
  write_file(folder / "data/cat/1.png", png_of(1));
  std::filesystem::create_directory_symlink(folder / "data", folder / "data/cat/loop");
  expect_error(ExitCode::usage, {"link"}, [&] { index_of(folder / "data"); });
}

TEST(Sources, TarOfClassFolders) {
  const TemporaryFolder folder;
  const std::string long_name = std::string(150, 'n') + ".png";  // needs an extended header
  write_file(folder / "a.tar", tar_bytes({{"./cat/1.png", png_of(1)},
                                          {"./readme.txt", "hello"},
                                          {"./ant/" + long_name, png_of(2)},
                                          {"./ant/3.png", png_of(3)}}));
  const SourceIndex index = index_of(folder / "a.tar");
  EXPECT_EQ(index.classes, (std::vector<std::string>{"ant", "cat"}));
  EXPECT_EQ(index.ignored, 1);
  EXPECT_EQ(
      content_of(index),
      (Content{{"cat/1.png", {"cat", 1}}, {"ant/" + long_name, {"ant", 2}}, {"ant/3.png", {"ant", 3}}}));
}

TEST(Sources, FolderAroundTheClassesOfATarIsNoClass) {
  const TemporaryFolder folder;
  write_file(folder / "a.tar", tar_bytes({{"set/cat/1.png", png_of(1)}, {"set/ant/2.png", png_of(2)}}));
  EXPECT_EQ(content_of(index_of(folder / "a.tar")),
            (Content{{"set/cat/1.png", {"cat", 1}}, {"set/ant/2.png", {"ant", 2}}}));
}

TEST(Sources, TarOfTarsAsImagenetsTrainingSet) {
  const TemporaryFolder folder;
  const std::string tench =
      tar_bytes({{"n01440764_10026.JPEG", png_of(1)}, {"n01440764_18.JPEG", png_of(2)}});
  const std::string shark = tar_bytes({{"n01484850_1.JPEG", png_of(3)}});
  write_file(folder / "train.tar", tar_bytes({{"n01484850.tar", shark}, {"n01440764.tar", tench}}));
  const SourceIndex index = index_of(folder / "train.tar");
  EXPECT_EQ(index.classes, (std::vector<std::string>{"n01440764", "n01484850"}));
  EXPECT_EQ(content_of(index), (Content{{"n01440764/n01440764_10026.JPEG", {"n01440764", 1}},
                                        {"n01440764/n01440764_18.JPEG", {"n01440764", 2}},
                                        {"n01484850/n01484850_1.JPEG", {"n01484850", 3}}}));
}

TEST(Sources, TornTarsAreNamed) {
  const TemporaryFolder folder;
  const std::string whole = tar_bytes({{"cat/1.png", png_of(1)}, {"cat/2.png", png_of(2)}});
  write_file(folder / "a.tar", whole.substr(0, 1300));
  expect_error(ExitCode::bad_data, {"a.tar", "truncated"}, [&] { index_of(folder / "a.tar"); });
  write_file(folder / "b.tar", tar_bytes({{"n1.tar", whole.substr(0, 1300)}, {"n2.tar", whole}}));
  expect_error(ExitCode::bad_data, {"b.tar", "n1.tar"}, [&] { index_of(folder / "b.tar"); });
}

// Three validation images whose names are not in the order of the tar.
void write_val_tar(const std::filesystem::path& path) {
  write_file(path, tar_bytes({{"ILSVRC2012_val_00000002.JPEG", png_of(2)},
                              {"ILSVRC2012_val_00000001.JPEG", png_of(1)},
                              {"ILSVRC2012_val_00000003.JPEG", png_of(3)}}));
}

// IDs are on purpose not in the order of the synsets.
std::string devkit(bool gzip, const std::string& truth = "3\n1\n3\n") {
  const std::string root = "ILSVRC2012_devkit_t12/";
  return tar_bytes(
      {{root + "readme.txt", "hello"},
       {root + "data/meta.mat",
        meta_mat_bytes({{1, "n02", "tench, Tinca tinca"}, {2, "n01", "kite"}, {3, "n03", "newt"}})},
       {root + "data/ILSVRC2012_validation_ground_truth.txt", truth}},
      gzip);
}

const Content& val_content() {
  static const Content content{{"ILSVRC2012_val_00000001.JPEG", {"n03", 1}},
                               {"ILSVRC2012_val_00000002.JPEG", {"n02", 2}},
                               {"ILSVRC2012_val_00000003.JPEG", {"n03", 3}}};
  return content;
}

TEST(Labels, DevelopmentKitCountsInItsOwnNumbers) {
  const TemporaryFolder folder;
  write_val_tar(folder / "val.tar");
  write_file(folder / "kit.tar.gz", devkit(true));
  SourceIndex index = index_of(folder / "val.tar", "val");
  EXPECT_EQ(index.items.front().label, -1);
  apply_labels(index, folder / "kit.tar.gz", {});
  EXPECT_EQ(content_of(index), val_content());
  EXPECT_EQ(index.classes, (std::vector<std::string>{"n01", "n02", "n03"}));  // the inner node is no class
  EXPECT_EQ(read_class_names(folder / "kit.tar.gz", {}).at("n02"), "tench, Tinca tinca");
}

TEST(Labels, DevelopmentKitThatDoesNotFitIsRefused) {
  const TemporaryFolder folder;
  write_val_tar(folder / "val.tar");
  SourceIndex index = index_of(folder / "val.tar", "val");
  write_file(folder / "short.tar.gz", devkit(true, "3\n1\n"));
  expect_error(ExitCode::bad_data, {"short.tar.gz", "2 labels", "3 images"},
               [&] { apply_labels(index, folder / "short.tar.gz", {}); });
  write_file(folder / "odd.tar.gz", devkit(true, "3\n1\n7\n"));
  expect_error(ExitCode::bad_data, {"line 3", "class 7"},
               [&] { apply_labels(index, folder / "odd.tar.gz", {}); });
  write_file(folder / "other.tar.gz", tar_bytes({{"a.txt", "x"}}, true));
  expect_error(ExitCode::bad_data, {"meta.mat", "ILSVRC2012_devkit_t12"},
               [&] { apply_labels(index, folder / "other.tar.gz", {}); });
  write_file(folder / "bad.tar.gz", tar_bytes({{"data/meta.mat", "no MATLAB file at all"}}, true));
  expect_error(ExitCode::bad_data, {"bad.tar.gz", "MATLAB"},
               [&] { apply_labels(index, folder / "bad.tar.gz", {}); });
}

TEST(Labels, CaffesListCountsInTheStoresClasses) {
  const TemporaryFolder folder;
  write_val_tar(folder / "val.tar");
  write_file(
      folder / "val.txt",
      "ILSVRC2012_val_00000001.JPEG 2\nILSVRC2012_val_00000002.JPEG 1\nILSVRC2012_val_00000003.JPEG 2\n");
  SourceIndex index = index_of(folder / "val.tar", "val");
  expect_error(ExitCode::usage, {"training split first"},
               [&] { apply_labels(index, folder / "val.txt", {}); });
  expect_error(ExitCode::bad_data, {"line 1", "class 2", "2 classes"}, [&] {
    apply_labels(index, folder / "val.txt", {"n01", "n02"});
  });
  apply_labels(index, folder / "val.txt", {"n01", "n02", "n03"});
  EXPECT_EQ(content_of(index), val_content());
  write_file(folder / "val.txt", "ILSVRC2012_val_00000001.JPEG 2\n");
  expect_error(ExitCode::bad_data, {"no line for ILSVRC2012_val_0000000"}, [&] {
    apply_labels(index, folder / "val.txt", {"n01", "n02", "n03"});
  });
}

TEST(Labels, ListOfSynsetsInOrderOfNames) {
  const TemporaryFolder folder;
  write_val_tar(folder / "val.tar");
  write_file(folder / "synsets.txt", "n03\nn02\r\nn03\n");
  SourceIndex index = index_of(folder / "val.tar", "val");
  apply_labels(index, folder / "synsets.txt", {});
  EXPECT_EQ(content_of(index), val_content());
  write_file(folder / "truth.txt", "3\n1\n3\n");
  expect_error(ExitCode::usage, {"whole kit"}, [&] { apply_labels(index, folder / "truth.txt", {}); });
}

TEST(Labels, FlatFolderTakesLabelsToo) {
  const TemporaryFolder folder;
  for (int i = 1; i <= 3; ++i)
    write_file(folder / fmt::format("val/ILSVRC2012_val_0000000{}.JPEG", i), png_of(i));
  write_file(folder / "synsets.txt", "n03\nn02\nn03\n");
  SourceIndex index = index_of(folder / "val", "val");
  apply_labels(index, folder / "synsets.txt", {});
  EXPECT_EQ(content_of(index), val_content());
}

TEST(Labels, ListMayComeThroughAPipe) {
  const TemporaryFolder folder;
  write_val_tar(folder / "val.tar");
  SourceIndex index = index_of(folder / "val.tar", "val");
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  {
    const FileDescriptor in(ends[1], "pipe");
    in.write("ILSVRC2012_val_00000003,n03\nILSVRC2012_val_00000001,n03\nILSVRC2012_val_00000002,n02\n");
  }
  const FileDescriptor out(ends[0], "pipe");
  apply_labels(index, fmt::format("/dev/fd/{}", out.number()), {});
  EXPECT_EQ(content_of(index), val_content());
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0666), 0);
  expect_error(ExitCode::io, {"fifo is a FIFO (named pipe) to which no program writes"},
               [&] { apply_labels(index, folder / "fifo", {}); });
  expect_error(ExitCode::io, {"fifo"}, [&] { read_class_names(folder / "fifo", {"n02"}); });
}

// A CIFAR-10 batch whose record r has label (r + first) % 10 and a red plane of value r + first.
std::string cifar_batch(int records, int first) {
  std::string bytes;
  for (int record = 0; record < records; ++record) {
    bytes += static_cast<char>((record + first) % 10);
    bytes += std::string(1024, static_cast<char>(record + first)) + std::string(2048, '\0');
  }
  return bytes;
}

Members cifar_files() {
  const std::string meta = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
  return {{"cifar-10-batches-bin/batches.meta.txt", meta},
          {"cifar-10-batches-bin/data_batch_1.bin", cifar_batch(12, 0)},
          {"cifar-10-batches-bin/data_batch_2.bin", cifar_batch(3, 40)},
          {"cifar-10-batches-bin/readme.html", "<html>"},
          {"cifar-10-batches-bin/test_batch.bin", cifar_batch(2, 99)}};
}

TEST(Sources, CifarInAllItsForms) {
  const TemporaryFolder folder;
  for (const auto& [path, content] : cifar_files()) write_file(folder / path, content);
  write_file(folder / "c.tar", tar_bytes(cifar_files()));
  write_file(folder / "c.tar.gz", tar_bytes(cifar_files(), true));
  const Content expected_val{{"test_batch.bin/00000", {"truck", 99}},
                             {"test_batch.bin/00001", {"airplane", 100}}};
  for (const std::string source : {"cifar-10-batches-bin", "c.tar", "c.tar.gz"}) {
    SCOPED_TRACE(source);
    const SourceIndex train = index_of(folder / source);
    EXPECT_EQ(train.items.size(), 15U);
    const Content content = content_of(train);
    EXPECT_EQ(content.at("data_batch_1.bin/00011"), (std::pair<std::string, int>{"automobile", 11}));
    EXPECT_EQ(content.at("data_batch_2.bin/00002"), (std::pair<std::string, int>{"bird", 42}));
    EXPECT_EQ(content_of(index_of(folder / source, "val")), expected_val);
  }
}

// The five batches of the distributed set without one of them. Only the one with the number `full` has all
// its records.
Members cifar_batches(int missing, int full) {
  Members files{cifar_files()[0], {"cifar-10-batches-bin/test_batch.bin", cifar_batch(2, 0)}};
  for (int number = 1; number <= 5; ++number)
    if (number != missing)
      files.emplace_back(fmt::format("cifar-10-batches-bin/data_batch_{}.bin", number),
                         cifar_batch(number == full ? 10'000 : 3, 0));
  return files;
}

TEST(Sources, CifarWithoutOneOfItsBatchesIsRefused) {
  const TemporaryFolder folder;
  const auto expect_missing = [&](const Members& files, std::initializer_list<std::string> parts) {
    const TemporaryFolder unpacked;
    for (const auto& [path, content] : files) write_file(unpacked / path, content);
    expect_error(ExitCode::bad_data, parts, [&] { index_of(unpacked / "cifar-10-batches-bin"); });
    write_file(folder / "c.tar", tar_bytes(files));
    expect_error(ExitCode::bad_data, parts, [&] { index_of(folder / "c.tar"); });
    EXPECT_EQ(index_of(folder / "c.tar", "val").items.size(), 2U);
    write_file(folder / "c.tar.gz", tar_bytes(files, true));
    expect_error(ExitCode::bad_data, parts, [&] { index_of(folder / "c.tar.gz"); });
  };
  expect_missing(cifar_batches(3, 0), {"has no data_batch_3.bin"});
  expect_missing(cifar_batches(1, 0), {"has no data_batch_1.bin"});
  expect_missing(cifar_batches(5, 1), {"has no data_batch_5.bin"});  // a gap only for the distributed set
  expect_missing(cifar_batches(0, 2), {"data_batch_1.bin has 3 records instead of 10000"});
  // A smaller set of one's own has no gap either.
  Members small = cifar_files();
  small.erase(small.begin() + 1);
  expect_missing(small, {"has no data_batch_1.bin"});
}

TEST(Sources, CifarBatchThatCannotBeReadOrHasNoNumberIsNamed) {
  using Kind = ArchiveEntry::Kind;
  const TemporaryFolder folder;
  const auto write = [&](const ArchiveEntry& batch) {
    write_file(folder / "c.tar", tar_of({{Kind::file, "batches.meta.txt", cifar_files()[0].second},
                                         {Kind::file, "data_batch_1.bin", cifar_batch(2, 0)},
                                         batch}));
  };
  // As many bytes as records, most of which the tar does not contain.
  write({Kind::sparse_file, "data_batch_2.bin", std::string(20 * 3073 - 1, '\0') + "x"});
  expect_error(ExitCode::bad_data, {"c.tar: data_batch_2.bin is stored sparse"},
               [&] { index_of(folder / "c.tar"); });
  write({Kind::symbolic_link, "data_batch_2.bin", "/data/data_batch_2.bin"});
  expect_error(ExitCode::bad_data, {"c.tar: data_batch_2.bin is a symbolic link to /data/data_batch_2.bin"},
               [&] { index_of(folder / "c.tar"); });
  for (const std::string name : {"data_batch_1 (1).bin", "data_batch_.bin", "data_batch_-2.bin"}) {
    write({Kind::file, name, cifar_batch(2, 0)});
    expect_error(ExitCode::bad_data, {name + " is named like", "copy"}, [&] { index_of(folder / "c.tar"); });
  }
  write({Kind::file, "data_batch_02.bin", cifar_batch(2, 0)});
  EXPECT_EQ(index_of(folder / "c.tar").items.size(), 4U);
  write({Kind::file, "data_batch_01.bin", cifar_batch(2, 0)});
  expect_error(ExitCode::bad_data, {"data_batch_1.bin", "data_batch_01.bin", "same batch"},
               [&] { index_of(folder / "c.tar"); });
  Members members = cifar_files();
  members.emplace_back("cifar-10-batches-bin/data_batch_2 - Copy.bin", cifar_batch(3, 40));
  for (const auto& [path, content] : members) write_file(folder / path, content);
  expect_error(ExitCode::bad_data, {"data_batch_2 - Copy.bin"},
               [&] { index_of(folder / "cifar-10-batches-bin"); });
  EXPECT_EQ(index_of(folder / "cifar-10-batches-bin", "val").items.size(), 2U);
}

TEST(Sources, DamagedCifarIsRefused) {
  const TemporaryFolder folder;
  write_file(folder / "c/batches.meta.txt", "a\nb\n");
  write_file(folder / "c/data_batch_1.bin", cifar_batch(2, 0));
  expect_error(ExitCode::bad_data, {"2 classes"}, [&] { index_of(folder / "c"); });
  write_file(folder / "c/batches.meta.txt", cifar_files()[0].second);
  write_file(folder / "c/data_batch_1.bin", cifar_batch(2, 0) + "x");
  expect_error(ExitCode::bad_data, {"data_batch_1.bin", "3073"}, [&] { index_of(folder / "c"); });
  expect_error(ExitCode::bad_data, {"test_batch.bin"}, [&] { index_of(folder / "c", "val"); });
}

// A header's size is a claim: 2^50 bytes are not taken for a file of a few hundred.
TEST(Sources, ClaimedSizeOfAMemberTakesNoMemory) {
  const TemporaryFolder folder;
  std::string tar = tar_bytes({{"c/data_batch_1.bin", "x"}});
  constexpr std::size_t size_at = 124, sum_at = 148, header_bytes = 512;
  constexpr std::string_view binary("\x80\0\0\0\0\4\0\0\0\0\0\0", 12);
  tar.replace(size_at, binary.size(), binary).replace(sum_at, 8, 8, ' ');
  unsigned sum = 0;
  for (std::size_t i = 0; i < header_bytes; ++i) sum += static_cast<unsigned char>(tar[i]);
  tar.replace(sum_at, 6, fmt::format("{:06o}", sum));
  write_file(folder / "c.tar", tar);
  expect_error(ExitCode::bad_data, {"c.tar", "data_batch_1.bin is incomplete"},
               [&] { unpack_members(folder / "c.tar", [](const std::string&) { return true; }); });
}

TEST(Sources, WhatIsNoSourceIsNamedWithTheWayOut) {
  const TemporaryFolder folder;
  expect_error(ExitCode::io, {"does not exist", "nowhere", "image folder"},
               [&] { index_of(folder / "nowhere"); });
  std::filesystem::create_directory(folder / "empty");
  expect_error(ExitCode::usage, {"contains no images", "image folder"}, [&] { index_of(folder / "empty"); });
  write_file(folder / "empty/notes.txt", "words");
  expect_error(ExitCode::usage, {"contains no images", "1 other files"}, [&] { index_of(folder / "empty"); });
  write_file(folder / "tars/n01.tar", tar_bytes({{"1.png", png_of(1)}}));
  expect_error(ExitCode::usage, {"n01.tar"}, [&] { index_of(folder / "tars"); });
  write_file(folder / "tars/n02.tar", tar_bytes({{"1.png", png_of(1)}}));
  expect_error(ExitCode::usage, {"2 archives", "n01.tar", "tar -cf"}, [&] { index_of(folder / "tars"); });
  write_file(folder / "a.tar.gz", tar_bytes({{"cat/1.png", png_of(1)}}, true));
  expect_error(ExitCode::usage, {"compressed", "gunzip"}, [&] { index_of(folder / "a.tar.gz"); });
  write_file(folder / "text", "just words");
  expect_error(ExitCode::usage, {"neither a folder nor a tar or zip"}, [&] { index_of(folder / "text"); });
  write_file(folder / "store/store.json", "{}");
  expect_error(ExitCode::usage, {"is already a store"}, [&] { index_of(folder / "store"); });
  write_file(folder / "root/train/cat/1.png", png_of(1));
  write_file(folder / "root/val/cat/1.png", png_of(1));
  expect_error(ExitCode::usage, {"splits", "root/train"}, [&] { index_of(folder / "root"); });
  write_file(folder / "twice.tar",
             tar_bytes({{"a/1.png", png_of(1)}, {"a/1.png", png_of(2)}, {"b/1.png", png_of(2)}}));
  expect_error(ExitCode::bad_data, {"a/1.png", "more than once"}, [&] { index_of(folder / "twice.tar"); });
}

TEST(ClassList, OrderNamesAndRefusals) {
  const TemporaryFolder folder;
  write_file(folder / "list", "b\n\n a \r\n");
  EXPECT_EQ(read_class_list(folder / "list"), (std::vector<std::string>{"b", "a"}));
  write_file(folder / "twice", "a\nb\na\n");
  expect_error(ExitCode::bad_data, {"twice", "class a"}, [&] { read_class_list(folder / "twice"); });
  write_file(folder / "words", "a ape, great\nz zebra\n");
  const auto classes = name_classes({"b", "a"}, read_class_names(folder / "words", {"b", "a"}));
  EXPECT_EQ(classes, (std::vector<ClassEntry>{{"b", "b"}, {"a", "ape, great"}}));
  expect_error(ExitCode::usage, {"--class-names"},
               [&] { name_classes({"x"}, read_class_names(folder / "words", {"x"})); });
}

TEST(ClassList, UnknownClassesAreRefusedByName) {
  SourceIndex index;
  index.classes = {"a", "b", "c"};
  index.items = {{"b/1", 1}, {"a/1", 0}};
  relabel(index, {"c", "b", "a"});
  EXPECT_EQ(index.items[0].label, 1);
  EXPECT_EQ(index.items[1].label, 2);
  index.classes = {"a", "b", "c"};
  expect_error(ExitCode::bad_data, {"b", "2 of the source's classes"}, [&] { relabel(index, {"a"}); });
}

}  // namespace
}  // namespace convoy::test
