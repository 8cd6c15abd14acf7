// From images and lists as distributed to the labels in the shards: class folders that are numbers, and
// ImageNet as Kaggle distributes it.

#include <gtest/gtest.h>

#include <map>

#include "data/hdf5_file.hpp"
#include "data/image_files.hpp"
#include "sources/pack.hpp"
#include "support/expect_error.hpp"
#include "support/mpi_test.hpp"
#include "support/shared_folder.hpp"
#include "support/without_privilege.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::string>;

constexpr int image_side = 8;

std::string any_image() {
  return png_bytes(Quadrants{});
}

// Packs on one process and gives the stored label of each image.
std::map<std::string, int> packed(const fs::path& source, const fs::path& store, const std::string& split,
                                  const fs::path& labels = {}, const fs::path& class_list = {},
                                  const fs::path& class_names = {}) {
  PackOptions options;
  options.source = source;
  options.store = store;
  options.split = split;
  options.image_size = image_side;
  options.workers = 1;
  options.labels = labels;
  options.class_list = class_list;
  options.class_names = class_names;
  pack(options, world(), Log(0, 1, LogLevel::warning));
  const Hdf5File file(store / fmt::format("{}-00000-of-00001.h5", split), Hdf5File::Access::read);
  const auto names = file.read_strings("/names");
  const auto stored = file.read<std::int32_t>("/labels");
  std::map<std::string, int> label_of;
  for (std::size_t i = 0; i < names.size(); ++i) label_of[names[i]] = stored[i];
  return label_of;
}

Ids ids_of(const fs::path& store) {
  Ids ids;
  for (const ClassEntry& entry : parse_store(read_store_text(store), store).classes) ids.push_back(entry.id);
  return ids;
}

TEST(PackClasses, NumberedFoldersAreLabelsInEverySplit) {
  const SharedFolder folder(world());
  for (int i = 0; i < 12; ++i) write_file(folder / fmt::format("train/{}/t{}.png", i, i), any_image());
  for (const int i : {11, 2, 9}) write_file(folder / fmt::format("val/{}/v{}.png", i, i), any_image());
  const auto train = packed(folder / "train", folder / "store", "train");
  EXPECT_EQ(ids_of(folder / "store"), (Ids{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}));
  for (int i = 0; i < 12; ++i) EXPECT_EQ(train.at(fmt::format("{}/t{}.png", i, i)), i);
  // A split without most of the classes has the store's labels, not positions among its own folders.
  EXPECT_EQ(packed(folder / "val", folder / "store", "val"),
            (std::map<std::string, int>{{"2/v2.png", 2}, {"9/v9.png", 9}, {"11/v11.png", 11}}));
}

// Earlier versions sorted all names as texts; such a store keeps the meaning of its labels.
TEST(PackClasses, StoreInTheOrderOfTextsKeepsIt) {
  const SharedFolder folder(world());
  for (const std::string split : {"train", "val"})
    for (const int i : {0, 1, 2, 10})
      write_file(folder / fmt::format("{}/{}/{}.png", split, i, i), any_image());
  write_file(folder / "list", "0\n1\n10\n2\n");
  const std::map<std::string, int> expected{{"0/0.png", 0}, {"1/1.png", 1}, {"10/10.png", 2}, {"2/2.png", 3}};
  EXPECT_EQ(packed(folder / "train", folder / "store", "train", {}, folder / "list"), expected);
  EXPECT_EQ(packed(folder / "val", folder / "store", "val"), expected);
  EXPECT_EQ(ids_of(folder / "store"), (Ids{"0", "1", "10", "2"}));
}

TEST(PackClasses, FoldersNamedByLabelJoinAStoreOfSynsets) {
  const SharedFolder folder(world());
  const Ids synsets{"n03", "n05", "n07"};
  for (const std::string& id : synsets) write_file(folder / ("train/" + id + "/1.png"), any_image());
  for (int i = 0; i < 3; ++i) {
    write_file(folder / fmt::format("v2/{}/{}.png", i, i), any_image());
    write_file(folder / fmt::format("from-one/{}/{}.png", i + 1, i), any_image());
  }
  packed(folder / "train", folder / "store", "train");
  EXPECT_EQ(packed(folder / "v2", folder / "store", "val"),
            (std::map<std::string, int>{{"0/0.png", 0}, {"1/1.png", 1}, {"2/2.png", 2}}));
  EXPECT_EQ(ids_of(folder / "store"), synsets);
  packed(folder / "train", folder / "other", "train");
  expect_error(ExitCode::bad_data, {"1, 2, 3", "0 to 2"},
               [&] { packed(folder / "from-one", folder / "other", "val"); });
}

TEST(PackClasses, SplitOfASingleClassHasTheStoresLabels) {
  const SharedFolder folder(world());
  for (const std::string name : {"train/cat/0/1.png", "train/cat/1/2.png", "train/dog/0/3.png",
                                 "val/cat/0/8.png", "val/cat/1/9.png", "other/dog/cat/5.png"})
    write_file(folder / name, any_image());
  packed(folder / "train", folder / "store", "train");
  EXPECT_EQ(packed(folder / "val", folder / "store", "val"),
            (std::map<std::string, int>{{"cat/0/8.png", 0}, {"cat/1/9.png", 0}}));
  packed(folder / "train", folder / "store2", "train");
  expect_error(ExitCode::usage,
               {"its folder dog has the name of a class, and so has a folder inside it, cat"},
               [&] { packed(folder / "other", folder / "store2", "val"); });
}

TEST(PackClasses, ImageOutsideTheClassFoldersIsRefusedByName) {
  const SharedFolder folder(world());
  for (const std::string name : {"photos/cat/1.png", "photos/dog/2.png", "photos/logo.png"})
    write_file(folder / "data" / name, any_image());
  expect_error(ExitCode::usage, {"photos/logo.png is not in a class folder"},
               [&] { packed(folder / "data", folder / "store", "train"); });
  write_file(folder / "list", "1,cat\n2,dog\nlogo,dog\n");
  EXPECT_EQ(packed(folder / "data", folder / "store", "train", folder / "list").at("photos/logo.png"), 1);
}

// Its names can be listed, its images cannot be opened.
TEST(PackClasses, FolderThatMayOnlyBeListedIsAnIoError) {
  const SharedFolder folder(world());
  write_file(folder / "data/cat/1.png", any_image());
  write_file(folder / "data/dog/2.png", any_image());
  fs::permissions(folder / "", fs::perms::all);
  fs::permissions(folder / "data/dog",
                  fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
  {
    const WithoutPrivilege user;
    expect_error(ExitCode::io, {"dog/2.png", "Permission denied"},
                 [&] { packed(folder / "data", folder / "store", "train"); });
  }
  fs::permissions(folder / "data/dog", fs::perms::all);
}

TEST(PackClasses, ImageNetAsKaggleDistributesIt) {
  const SharedFolder folder(world());
  const fs::path data = folder / "ILSVRC/Data/CLS-LOC";
  for (const std::string id : {"n01440764", "n01443537"})
    write_file(data / "train" / id / (id + "_10026.JPEG"), any_image());
  Members members;
  for (int i = 1; i <= 4; ++i) {
    members.emplace_back(fmt::format("ILSVRC2012_val_{:08}.JPEG", i), any_image());
    write_file(data / "val" / members.back().first, members.back().second);
  }
  write_file(folder / "val.tar", tar_bytes(members));
  write_file(folder / "LOC_synset_mapping.txt", "n01440764 tench, Tinca tinca\nn01443537 goldfish\n");
  write_file(
      folder / "LOC_train_solution.csv",
      "ImageId,PredictionString\nn01443537_10026,n01443537 1 2 3 4 \nn01440764_10026,n01440764 1 2 3 4 \n");
  write_file(folder / "LOC_val_solution.csv",
             "ImageId,PredictionString\nILSVRC2012_val_00000003,n01443537 111 108 230 366 \n"
             "ILSVRC2012_val_00000001,n01443537 1 2 3 4 n01443537 5 6 7 8 \n"
             "ILSVRC2012_val_00000002,n01440764 0 0 9 9 \nILSVRC2012_val_00000004,n01440764 0 0 9 9 \n");
  const std::map<std::string, int> expected{{"ILSVRC2012_val_00000001.JPEG", 1},
                                            {"ILSVRC2012_val_00000002.JPEG", 0},
                                            {"ILSVRC2012_val_00000003.JPEG", 1},
                                            {"ILSVRC2012_val_00000004.JPEG", 0}};
  const fs::path words = folder / "LOC_synset_mapping.txt", val_labels = folder / "LOC_val_solution.csv";
  const auto train =
      packed(data / "train", folder / "store", "train", folder / "LOC_train_solution.csv", {}, words);
  EXPECT_EQ(train.at("n01443537/n01443537_10026.JPEG"), 1);
  EXPECT_EQ(packed(data / "val", folder / "store", "val", val_labels, {}, words), expected);
  const Store store = parse_store(read_store_text(folder / "store"), folder / "store");
  EXPECT_EQ(store.classes.at(0), (ClassEntry{"n01440764", "tench, Tinca tinca"}));
  // The tar gives the same, also if it is the first split.
  EXPECT_EQ(packed(folder / "val.tar", folder / "from-tar", "val", val_labels, {}, words), expected);
  EXPECT_EQ(ids_of(folder / "from-tar"), (Ids{"n01440764", "n01443537"}));
}

}  // namespace
}  // namespace convoy::test
