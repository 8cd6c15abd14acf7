// What the loader does with damaged, missing and foreign shards, and with more shards than may be open.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "data/hdf5_file.hpp"
#include "data/loader.hpp"
#include "data/loader_options.hpp"
#include "data/small_store.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using test::basic_options;
using test::expect_error;
using test::TemporaryFolder;

// Reads epoch after epoch until the error comes.
void read_all(const Store& store, const LoaderOptions& options) {
  Loader loader(store, options);
  for (int i = 0; i < 100; ++i) loader.next();
}

TEST(LoaderDamage, NamesADamagedImage) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  // Image 3 of the third shard is sample 7 + 1 + 3.
  const ShardEntry& shard = store.train->shards[2];
  test::damage_byte(folder / "store" / shard.file, shard.images_offset + 3 * 192 + 77);
  for (const int workers : {1, 4})
    expect_error(
        ExitCode::bad_data,
        {shard.file, "image 3", test::small_name("train", 11), "checksum", "expected", "convoy verify"}, [&] {
          LoaderOptions options = basic_options(6);
          options.workers = workers;
          read_all(store, options);
        });
  // The same with neighbours read in one go.
  LoaderOptions evaluation = basic_options(20);
  evaluation.shuffle = false;
  evaluation.workers = 1;
  expect_error(ExitCode::bad_data, {shard.file, "image 3"}, [&] { read_all(store, evaluation); });
}

// What comes before a damaged image is still delivered, in order; the error comes in its place, and stays.
TEST(LoaderDamage, DeliversErrorsInOrder) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  const ShardEntry& shard = store.train->shards[2];
  test::damage_byte(folder / "store" / shard.file, shard.images_offset + 9 * 192);  // sample 17
  LoaderOptions options = basic_options(5);
  options.shuffle = false;
  options.workers = 4;
  options.buffers = 8;
  for (int round = 0; round < 20; ++round) {
    Loader loader(store, options);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(loader.next().rows, 5);
    for (int again = 0; again < 3; ++again)
      expect_error(ExitCode::bad_data, {"image 9"}, [&] { loader.next(); });
  }
}

TEST(LoaderDamage, NamesAMissingShard) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  fs::remove(folder / "store" / store.train->shards[1].file);
  expect_error(ExitCode::io, {store.train->shards[1].file, "No such file"},
               [&] { read_all(store, basic_options(6)); });
}

TEST(LoaderDamage, NamesATruncatedShard) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  const fs::path file = folder / "store" / store.train->shards[2].file;
  fs::resize_file(file, fs::file_size(file) - 100);
  expect_error(ExitCode::bad_data,
               {file.filename(), "truncated", std::to_string(store.train->shards[2].bytes)},
               [&] { read_all(store, basic_options(6)); });
  // The size is right again, but the second half is zeros.
  fs::resize_file(file, store.train->shards[2].bytes / 2);
  fs::resize_file(file, store.train->shards[2].bytes);
  expect_error(ExitCode::bad_data, {file.filename()}, [&] { read_all(store, basic_options(6)); });
}

// A shard cut off while it is being read (its checks are done): the read itself must notice.
TEST(LoaderDamage, NoticesTruncationUnderWay) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  LoaderOptions options = basic_options(1);
  options.shuffle = false;
  options.buffers = 1;
  Loader loader(store, options);
  for (int i = 0; i < 9; ++i) loader.next();  // the third shard is open now
  const ShardEntry& shard = store.train->shards[2];
  fs::resize_file(folder / "store" / shard.file, shard.images_offset + 4 * 192);
  expect_error(ExitCode::bad_data, {shard.file, "truncated"}, [&] {
    for (int i = 0; i < 8; ++i) loader.next();
  });
}

TEST(LoaderDamage, RefusesShardsOfAnotherStore) {
  const TemporaryFolder folder;
  test::SmallStoreOptions options;
  const Store store = test::write_small_store(folder / "store", options);
  options.classes = 6;
  const Store other = test::write_small_store(folder / "other", options);
  const fs::path file = folder / "store" / store.train->shards[2].file;
  fs::copy_file(folder / "other" / other.train->shards[2].file, file, fs::copy_options::overwrite_existing);
  Store fitted = store;
  fitted.train->shards[2].bytes = fs::file_size(file);
  expect_error(ExitCode::bad_data, {file.filename(), "other classes"},
               [&] { read_all(fitted, basic_options(6)); });
}

TEST(LoaderDamage, RefusesSwappedShards) {
  const TemporaryFolder folder;
  test::SmallStoreOptions options;
  options.train_shards = {6, 6};
  options.val_shards = {6, 6};
  const Store store = test::write_small_store(folder / "store", options);
  const auto path = [&](const SplitEntry& split, int i) {
    return folder / "store" / split.shards[static_cast<std::size_t>(i)].file;
  };
  fs::copy_file(path(*store.train, 0), folder / "kept");
  fs::copy_file(path(*store.train, 1), path(*store.train, 0), fs::copy_options::overwrite_existing);
  Store fitted = store;
  fitted.train->shards[0].bytes = fs::file_size(path(*store.train, 0));
  expect_error(ExitCode::bad_data, {"has shard number 1", "number 0 in store.json"},
               [&] { read_all(fitted, basic_options(6)); });
  fs::copy_file(path(*store.val, 0), path(*store.train, 0), fs::copy_options::overwrite_existing);
  fitted.train->shards[0].bytes = fs::file_size(path(*store.train, 0));
  expect_error(ExitCode::bad_data, {"split 'val', not 'train'"}, [&] { read_all(fitted, basic_options(6)); });
}

TEST(LoaderDamage, RefusesForeignHdf5AndOtherFiles) {
  const TemporaryFolder folder;
  Store store = test::write_small_store(folder / "store");
  const fs::path file = folder / "store" / store.train->shards[0].file;
  {
    Hdf5File foreign(file, Hdf5File::Access::create);
    foreign.write<float>("/x", std::vector<float>{1}, {1});
    foreign.close();
  }
  store.train->shards[0].bytes = fs::file_size(file);
  store.train->shards[0].images_offset = 0;
  expect_error(ExitCode::bad_data, {file.filename(), "not a Convoy shard"},
               [&] { read_all(store, basic_options(6)); });
  fs::resize_file(file, 0);
  fs::resize_file(file, store.train->shards[0].bytes);
  expect_error(ExitCode::bad_data, {file.filename()}, [&] { read_all(store, basic_options(6)); });
}

TEST(LoaderDamage, RefusesLabelsOutsideTheClasses) {
  const TemporaryFolder folder;
  Store store = test::write_small_store(folder / "store");
  test::damage_byte(folder / "store" / store.train->shards[0].file, store.train->shards[0].images_offset);
  // Labels are 0 to 4; turning bit 4 over makes one 16 or more.
  const Hdf5File shard(folder / "store" / store.train->shards[0].file, Hdf5File::Access::read);
  const std::uint64_t offset = shard.contiguous_offset<std::int32_t>("/labels");
  test::damage_byte(folder / "store" / store.train->shards[0].file, offset + 4);
  expect_error(ExitCode::bad_data, {store.train->shards[0].file, "image 1", "label", "0 to 4"},
               [&] { read_all(store, basic_options(6)); });
}

TEST(LoaderDamage, RefusesWrongOffsets) {
  const TemporaryFolder folder;
  Store store = test::write_small_store(folder / "store");
  store.train->shards[0].images_offset += 192;
  expect_error(ExitCode::bad_data, {store.train->shards[0].file, "store.json says"},
               [&] { read_all(store, basic_options(6)); });
}

TEST(LoaderDamage, RefusesWhatCannotWork) {
  const TemporaryFolder folder;
  Store store = test::write_small_store(folder / "store");
  LoaderOptions options = basic_options(6);
  options.crop_side = 9;
  expect_error(ExitCode::usage, {"9 × 9", "8 × 8", "--image-size 9"}, [&] { Loader(store, options); });
  options = basic_options(6);
  options.split = "test";
  expect_error(ExitCode::usage, {"'test'"}, [&] { Loader(store, options); });
  store.val = SplitEntry{};
  options.split = "val";
  expect_error(ExitCode::bad_data, {"'val'", "no images"}, [&] { Loader(store, options); });
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

// With more shards than may be open, the least recently used are closed, by many threads at once.
TEST(LoaderDamage, KeepsAtMost256ShardsOpen) {
  const TemporaryFolder folder;
  test::SmallStoreOptions store_options;
  store_options.image_size = 2;
  store_options.train_shards.assign(300, 1);
  store_options.val_shards.clear();
  const Store store = test::write_small_store(folder / "store", store_options);
  LoaderOptions options = basic_options(30);
  options.crop_side = 2;
  options.workers = 4;
  const std::size_t before = open_descriptors();
  {
    Loader loader(store, options);
    for (int i = 0; i < 30; ++i) {  // three epochs
      const BatchView& view = loader.next();
      const auto order = sample_order(11, static_cast<std::uint32_t>(i / 10), 300);
      for (int row = 0; row < view.rows; ++row) {
        const auto expected =
            test::small_image("train", order[static_cast<std::size_t>(i % 10 * 30 + row)], 2);
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), view.images.begin() + row * 12));
      }
    }
    EXPECT_LE(open_descriptors(), before + 256 + 4);  // and one a worker that is being read or opened
    EXPECT_GE(open_descriptors(), before + 200);
  }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace convoy
