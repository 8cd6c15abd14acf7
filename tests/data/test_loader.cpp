#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory_resource>
#include <random>
#include <thread>

#include "data/loader.hpp"
#include "data/loader_options.hpp"
#include "data/shard_reader.hpp"
#include "data/small_store.hpp"
#include "support/expect_error.hpp"
#include "support/open_file_limit.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

using test::basic_options;
using test::expect_error;
using test::TemporaryFolder;

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
// micro-batches, of workers and of buffers.
TEST(Loader, IsIndependentOfRanksMicroBatchesWorkersAndBuffers) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  const Samples straight = run_of(store, basic_options(6), 9);
  for (const int ranks : {1, 2, 3, 4, 7})
    for (const int accumulate : {1, 2, 3})
      for (const auto& [workers, buffers] : {std::pair{1, 1}, {3, 2}, {4, 5}}) {
        LoaderOptions options = basic_options(6);
        options.accumulate = accumulate;
        options.workers = workers;
        options.buffers = buffers;
        EXPECT_EQ(run_of(store, options, 9, ranks), straight)
            << ranks << " ranks, " << accumulate << " micro-batches, " << workers << " workers, " << buffers
            << " buffers";
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
  expect_error(ExitCode::bug, {"no more batches"}, [&] { loader.next(); });
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

TEST(Loader, ReadsMoreShardsThanItMayOpenFiles) {
  const TemporaryFolder folder;
  test::SmallStoreOptions store_options;
  store_options.train_shards.assign(90, 1);
  const Store store = test::write_small_store(folder / "store", store_options);
  LoaderOptions options = basic_options(6);
  options.workers = 3;
  const auto expected = run_of(store, options, 30);
  const test::OpenFileLimit limit(64);
  EXPECT_EQ(shards_kept_open(), 16);
  EXPECT_EQ(run_of(store, options, 30), expected);
}

TEST(Loader, KeepsTheBatchInUse) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  LoaderOptions options = basic_options(6);
  options.buffers = 2;
  Loader loader(store, options);
  for (int i = 0; i < 20; ++i) {
    const BatchView& view = loader.next();
    const std::vector<std::uint8_t> before(view.images.begin(), view.images.end());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // time for workers to do wrong
    EXPECT_TRUE(std::equal(before.begin(), before.end(), view.images.begin()));
  }
}

// Counts what is asked of it, as page-locked memory would be.
class CountedMemory final : public std::pmr::memory_resource {
 public:
  std::size_t in_use = 0, allocations = 0;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    in_use += bytes;
    ++allocations;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* place, std::size_t bytes, std::size_t alignment) override {
    in_use -= bytes;
    std::pmr::new_delete_resource()->deallocate(place, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

// Batches that a device still reads stay what they were, in the memory that was asked for.
TEST(Loader, HoldsBatchesOfStepsBefore) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  CountedMemory memory;
  for (const int held : {1, 5}) {
    LoaderOptions options = basic_options(6);
    options.held = held;
    options.buffers = 2;
    options.memory = &memory;
    Loader loader(store, options);
    // The last `held` + 1 batches: what they showed when they were new.
    std::deque<std::pair<BatchView, std::vector<std::uint8_t>>> kept;
    const std::size_t allocations = memory.allocations;
    for (int i = 0; i < 20; ++i) {
      const BatchView& view = loader.next();
      kept.emplace_back(view, std::vector<std::uint8_t>(view.images.begin(), view.images.end()));
      if (kept.size() > static_cast<std::size_t>(held) + 1) kept.pop_front();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // time for workers to do wrong
      for (const auto& [batch, before] : kept)
        ASSERT_TRUE(std::equal(before.begin(), before.end(), batch.images.begin())) << "batch " << i;
    }
    EXPECT_EQ(memory.allocations, allocations) << "a batch was allocated while the loader ran";
    EXPECT_GT(memory.in_use, 0U);
  }
  EXPECT_EQ(memory.in_use, 0U);
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

// Thousands of batches with changing workers, buffers, batches; the loader dies at any time.
TEST(Loader, StandsRandomUse) {
  const TemporaryFolder folder;
  const Store store = test::write_small_store(folder / "store");
  std::map<std::int64_t, std::vector<std::uint32_t>> orders;
  std::minstd_rand random(4);
  for (int round = 0; round < 60; ++round) {
    LoaderOptions options = basic_options(1 + static_cast<std::int64_t>(random() % 20));
    options.workers = 1 + static_cast<int>(random() % 8);
    options.buffers = 1 + static_cast<int>(random() % 6);
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

}  // namespace
}  // namespace convoy
