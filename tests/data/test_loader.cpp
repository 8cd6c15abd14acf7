#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "data/expect_error.hpp"
#include "data/hdf5_file.hpp"
#include "data/loader.hpp"
#include "data/small_store.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::TemporaryFolder;

LoaderOptions basic_options(std::int64_t global_batch) {
  LoaderOptions options;
  options.global_batch = global_batch;
  options.seed = 11;
  options.crop_side = 6;
  options.augmentation = parse_augmentation("crop,mirror");
  return options;
}

// All that is known of one sample at one place of a run.
struct Seen {
  std::vector<std::uint8_t> image;
  std::int32_t label = 0;
  std::vector<float> matrix;
  friend bool operator==(const Seen&, const Seen&) = default;
};

// Position in the run (epoch-wise numbering of samples) → sample.
using Samples = std::map<std::int64_t, Seen>;

// Takes `batches` micro-batches and notes every row under its position in the run.
void collect(Loader& loader, const Store& store, const LoaderOptions& options, std::int64_t batches,
             Samples& run) {
  const BatchPlan& plan = loader.plan();
  std::int64_t first_step =
      options.first_epoch * plan.steps_per_epoch() + options.first_sample / plan.global_batch;
  const auto image_bytes = static_cast<std::size_t>(3 * store.image_size * store.image_size);
  for (std::int64_t b = 0; b < batches; ++b) {
    const BatchView& view = loader.next();
    const std::int64_t step = first_step + b / plan.accumulate;
    const std::int64_t epoch = step / plan.steps_per_epoch(), in_epoch = step % plan.steps_per_epoch();
    const Range rows = plan.rows(in_epoch, options.rank, static_cast<int>(b % plan.accumulate));
    ASSERT_EQ(view.rows, rows.size());
    ASSERT_EQ(view.first_position, rows.begin);
    ASSERT_EQ(view.images.size(), static_cast<std::size_t>(view.rows) * image_bytes);
    ASSERT_EQ(view.labels.size(), static_cast<std::size_t>(view.rows));
    ASSERT_EQ(view.transforms.size(), static_cast<std::size_t>(view.rows));
    for (int row = 0; row < view.rows; ++row) {
      const auto image = view.images.subspan(static_cast<std::size_t>(row) * image_bytes, image_bytes);
      const SampleTransform& transform = view.transforms[static_cast<std::size_t>(row)];
      const std::int64_t position =
          epoch * plan.images + in_epoch * plan.global_batch + view.first_position + row;
      const bool added =
          run.emplace(position, Seen{{image.begin(), image.end()},
                                     view.labels[static_cast<std::size_t>(row)],
                                     {std::begin(transform.matrix), std::end(transform.matrix)}})
              .second;
      ASSERT_TRUE(added) << "position " << position << " was delivered twice";
    }
  }
}

Samples run_of(const Store& store, LoaderOptions options, std::int64_t steps, int ranks = 1) {
  Samples run;
  for (int rank = 0; rank < ranks; ++rank) {
    options.rank = rank;
    options.ranks = ranks;
    Loader loader(store, options);
    collect(loader, store, options, steps * options.accumulate, run);
  }
  return run;
}

TEST(Loader, DeliversTheSamplesOfTheOrder) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  const Samples run = run_of(store, basic_options(6), 2 * 4);  // 20 images: 3 steps of 6 and one of 2
  ASSERT_EQ(run.size(), 40U);
  for (const std::uint32_t epoch : {0U, 1U}) {
    const auto order = sample_order(11, epoch, 20);
    for (std::uint32_t i = 0; i < 20; ++i) {
      const Seen& seen = run.at(epoch * 20 + i);
      EXPECT_EQ(seen.image, test::small_image("train", order[i], 8));
      EXPECT_EQ(seen.label, test::small_label("train", order[i], 5));
      const SampleTransform transform =
          training_transform(parse_augmentation("crop,mirror"), 8, 6, 11, epoch, order[i]);
      EXPECT_TRUE(std::equal(seen.matrix.begin(), seen.matrix.end(), transform.matrix));
    }
  }
}

TEST(Loader, EvaluatesInStoredOrder) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  for (const char* split : {"train", "val"}) {
    LoaderOptions options = basic_options(7);
    options.split = split;
    options.shuffle = false;
    options.augmentation = {};
    options.last_epoch = 1;
    const std::int64_t images = store.split(split).images;
    Samples run;
    for (options.rank = 0, options.ranks = 3; options.rank < 3; ++options.rank) {
      Loader loader(store, options);
      collect(loader, store, options, loader.plan().steps_per_epoch(), run);
      EXPECT_THROW(loader.next(), Error) << "past the end";
    }
    ASSERT_EQ(static_cast<std::int64_t>(run.size()), images);
    for (const auto& [position, seen] : run) {
      const auto id = static_cast<std::uint32_t>(position);
      EXPECT_EQ(seen.image, test::small_image(split, id, 8));
      EXPECT_EQ(seen.label, test::small_label(split, id, 5));
      EXPECT_EQ(seen.matrix, (std::vector<float>{1, 0, 1, 0, 1, 1})) << "the centre";
    }
  }
}

// The samples of a run, their places and their transforms are the same for every number of ranks, of
// micro-batches, of workers and of slots.
TEST(Loader, IsIndependentOfRanksMicroBatchesWorkersAndSlots) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  const Samples straight = run_of(store, basic_options(6), 9);
  for (const int ranks : {1, 2, 3, 4, 7})
    for (const int accumulate : {1, 2, 3})
      for (const auto& [workers, slots] : {std::pair{1, 1}, {3, 2}, {4, 5}}) {
        LoaderOptions options = basic_options(6);
        options.accumulate = accumulate;
        options.workers = workers;
        options.slots = slots;
        EXPECT_EQ(run_of(store, options, 9, ranks), straight)
            << ranks << " ranks, " << accumulate << " micro-batches, " << workers << " workers, " << slots
            << " slots";
      }
}

TEST(Loader, ShufflesByNode) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  LoaderOptions options = basic_options(6);
  options.shuffle_by_node = true;
  options.nodes = 2;
  const Samples two = run_of(store, options, 4, 2);
  EXPECT_EQ(run_of(store, options, 4, 4), two);
  EXPECT_EQ(run_of(store, options, 4, 1), two);
  EXPECT_NE(run_of(store, basic_options(6), 4, 2), two);
  ASSERT_EQ(two.size(), 20U);
}

TEST(Loader, GoesOnWhereItStopped) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  for (const int accumulate : {1, 2}) {
    LoaderOptions options = basic_options(6);
    options.accumulate = accumulate;
    const Samples straight = run_of(store, options, 12);
    for (std::int64_t done = 0; done < 12; ++done) {  // steps, 4 an epoch
      Samples run = run_of(store, options, done);
      LoaderOptions rest = options;
      rest.first_epoch = done / 4;
      rest.first_sample = done % 4 * 6;
      for (const auto& entry : run_of(store, rest, 12 - done, 3)) run.insert(entry);
      EXPECT_EQ(run, straight) << "interrupted after " << done << " steps";
    }
  }
}

TEST(Loader, StopsAfterTheLastEpoch) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  LoaderOptions options = basic_options(6);
  options.first_epoch = 1;
  options.first_sample = 12;
  options.last_epoch = 3;
  Loader loader(store, options);
  for (int i = 0; i < 2 + 4; ++i) EXPECT_NO_THROW(loader.next());
  expect_error(ExitCode::bug, {"more than there is"}, [&] { loader.next(); });
  options.last_epoch = 1;
  Loader nothing(store, options);
  EXPECT_THROW(nothing.next(), Error);
}

// More ranks than samples in the last step: some have no rows there, and say so.
TEST(Loader, DeliversEmptyParts) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  LoaderOptions options = basic_options(9);  // 9, 9, 2
  options.ranks = 4;
  Loader loader(store, options);  // rank 0 of 4 gets 2, 2 and 0 rows
  EXPECT_EQ(loader.next().rows, 2);
  EXPECT_EQ(loader.next().rows, 2);
  EXPECT_EQ(loader.next().rows, 0);
  EXPECT_EQ(loader.next().rows, 2);
}

TEST(Loader, ReadsCompressedShards) {
  const TemporaryFolder folder;
  test::SmallStoreOptions store_options;
  const Store plain = test::write_small_store(folder / "plain", store_options);
  store_options.chunked = true;
  const Store chunked = test::write_small_store(folder / "chunked", store_options);
  EXPECT_EQ(chunked.train->shards[0].images_offset, 0U);
  LoaderOptions options = basic_options(6);
  options.workers = 3;
  EXPECT_EQ(run_of(chunked, options, 8), run_of(plain, options, 8));
}

TEST(Loader, KeepsTheBatchInUse) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  LoaderOptions options = basic_options(6);
  options.slots = 2;
  Loader loader(store, options);
  for (int i = 0; i < 20; ++i) {
    const BatchView& view = loader.next();
    const std::vector<std::uint8_t> before(view.images.begin(), view.images.end());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // time for workers to do wrong
    EXPECT_TRUE(std::equal(before.begin(), before.end(), view.images.begin()));
  }
}

TEST(Loader, RunsAhead) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  Loader loader(store, basic_options(6));
  loader.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  loader.next();
  // Waiting would take a read; a batch that lies ready takes a lock. Generous, for the machine may be busy.
  EXPECT_LT(loader.waited_seconds(), 0.25);
}

// Thousands of batches with changing workers, slots, batches; the loader dies at any time.
TEST(Loader, StandsRandomUse) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  std::map<std::int64_t, std::vector<std::uint32_t>> orders;
  std::minstd_rand random(4);
  for (int round = 0; round < 60; ++round) {
    LoaderOptions options = basic_options(1 + static_cast<std::int64_t>(random() % 20));
    options.workers = 1 + static_cast<int>(random() % 8);
    options.slots = 1 + static_cast<int>(random() % 6);
    options.accumulate = 1 + static_cast<int>(random() % 3);
    options.ranks = 1 + static_cast<int>(random() % 3);
    options.rank = static_cast<int>(random()) % options.ranks;
    options.first_epoch = static_cast<std::int64_t>(random() % 3);
    Loader loader(store, options);
    const BatchPlan& plan = loader.plan();
    const int takes = static_cast<int>(random() % 80);
    for (int i = 0; i < takes; ++i) {
      const BatchView& view = loader.next();
      const std::int64_t step = i / plan.accumulate + options.first_epoch * plan.steps_per_epoch();
      const std::int64_t epoch = step / plan.steps_per_epoch();
      auto& order = orders[epoch];
      if (order.empty()) order = sample_order(11, static_cast<std::uint32_t>(epoch), 20);
      for (int row = 0; row < view.rows; ++row) {
        const auto position = static_cast<std::size_t>(step % plan.steps_per_epoch() * plan.global_batch +
                                                       view.first_position + row);
        const auto expected = test::small_image("train", order.at(position), 8);
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(),
                               view.images.begin() + row * static_cast<std::ptrdiff_t>(expected.size())));
        ASSERT_EQ(view.labels[static_cast<std::size_t>(row)],
                  test::small_label("train", order.at(position), 5));
      }
    }
  }
}

// A loader that is thrown away at once, while its workers are opening shards.
TEST(Loader, EndsAtAnyTime) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  for (int round = 0; round < 200; ++round) {
    LoaderOptions options = basic_options(6);
    options.workers = 1 + round % 8;
    Loader loader(store, options);
    if (round % 3 == 0) ::usleep(static_cast<useconds_t>(round * 7));
  }
}

// Reads epoch after epoch until the error comes.
void read_all(const Store& store, const LoaderOptions& options) {
  Loader loader(store, options);
  for (int i = 0; i < 100; ++i) loader.next();
}

TEST(Loader, NamesADamagedImage) {
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
TEST(Loader, DeliversErrorsInOrder) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  const ShardEntry& shard = store.train->shards[2];
  test::damage_byte(folder / "store" / shard.file, shard.images_offset + 9 * 192);  // sample 17
  LoaderOptions options = basic_options(5);
  options.shuffle = false;
  options.workers = 4;
  options.slots = 8;
  for (int round = 0; round < 20; ++round) {
    Loader loader(store, options);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(loader.next().rows, 5);
    for (int again = 0; again < 3; ++again)
      expect_error(ExitCode::bad_data, {"image 9"}, [&] { loader.next(); });
  }
}

TEST(Loader, NamesAMissingShard) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  fs::remove(folder / "store" / store.train->shards[1].file);
  expect_error(ExitCode::io, {store.train->shards[1].file, "No such file"},
               [&] { read_all(store, basic_options(6)); });
}

TEST(Loader, NamesATruncatedShard) {
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
TEST(Loader, NoticesTruncationUnderWay) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  LoaderOptions options = basic_options(1);
  options.shuffle = false;
  options.slots = 1;
  Loader loader(store, options);
  for (int i = 0; i < 9; ++i) loader.next();  // the third shard is open now
  const ShardEntry& shard = store.train->shards[2];
  fs::resize_file(folder / "store" / shard.file, shard.images_offset + 4 * 192);
  expect_error(ExitCode::bad_data, {shard.file, "truncated"}, [&] {
    for (int i = 0; i < 8; ++i) loader.next();
  });
}

TEST(Loader, RefusesShardsOfAnotherStore) {
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

TEST(Loader, RefusesSwappedShards) {
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
  expect_error(ExitCode::bad_data, {"it is shard 1", "has it as 0"},
               [&] { read_all(fitted, basic_options(6)); });
  fs::copy_file(path(*store.val, 0), path(*store.train, 0), fs::copy_options::overwrite_existing);
  fitted.train->shards[0].bytes = fs::file_size(path(*store.train, 0));
  expect_error(ExitCode::bad_data, {"split 'val', not 'train'"}, [&] { read_all(fitted, basic_options(6)); });
}

TEST(Loader, RefusesForeignHdf5AndOtherFiles) {
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
  expect_error(ExitCode::bad_data, {file.filename(), "not a shard of Convoy"},
               [&] { read_all(store, basic_options(6)); });
  fs::resize_file(file, 0);
  fs::resize_file(file, store.train->shards[0].bytes);
  expect_error(ExitCode::bad_data, {file.filename()}, [&] { read_all(store, basic_options(6)); });
}

TEST(Loader, RefusesLabelsOutsideTheClasses) {
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

TEST(Loader, RefusesWrongOffsets) {
  const TemporaryFolder folder;
  Store store = test::write_small_store(folder / "store");
  store.train->shards[0].images_offset += 192;
  expect_error(ExitCode::bad_data, {store.train->shards[0].file, "store.json says"},
               [&] { read_all(store, basic_options(6)); });
}

TEST(Loader, RefusesWhatCannotWork) {
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
TEST(Loader, KeepsAtMost256ShardsOpen) {
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
