#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "checkpoint/checkpoint_samples.hpp"
#include "comm/mpi_collective.hpp"
#include "support/mpi_test.hpp"
#include "train/fake_replica.hpp"
#include "train/gradient_reducer.hpp"

namespace convoy::test {
namespace {

TEST(PlanBuckets, CoversEverythingInAlignedPieces) {
  for (const std::size_t elements : {1, 63, 64, 65, 1000, 4096, 100'000, 62'378'344}) {
    for (const std::size_t bytes : {1, 256, 1000, 65'536, 4 << 20, 1 << 30}) {
      if (elements > 1'000'000 && bytes < 65'536) continue;
      const auto buckets = plan_buckets(elements, bytes);
      ASSERT_FALSE(buckets.empty());
      std::size_t end = 0, smallest = elements, largest = 0;
      for (const Bucket& bucket : buckets) {
        ASSERT_EQ(bucket.begin, end);
        ASSERT_EQ(bucket.begin % parameter_alignment, 0u);
        end = bucket.end;
        smallest = std::min(smallest, bucket.end - bucket.begin);
        largest = std::max(largest, bucket.end - bucket.begin);
      }
      EXPECT_EQ(end, elements);
      // No bucket beyond the wish (or one unit), and all about the same.
      EXPECT_LE(largest, std::max<std::size_t>(bytes / sizeof(float), parameter_alignment));
      EXPECT_LE(largest - smallest, 2 * parameter_alignment);
    }
  }
  EXPECT_TRUE(plan_buckets(0, 1024).empty());
}

class GradientReducerTest : public testing::TestWithParam<bool> {
 protected:
  FakeReplica replica_{small_network(50)};
  std::span<float> gradient_ = replica_.gradient_memory();
  std::unique_ptr<Collective> collective_ = make_mpi_collective(world(), GetParam());
};

// Backward in steps that fit neither tensors nor buckets, over several updates.
TEST_P(GradientReducerTest, SumsAsBackwardGoesOn) {
  GradientReducer reducer(*collective_, replica_, plan_buckets(gradient_.size(), 1024));
  const auto ranks = static_cast<float>(world().size());
  for (int step = 0; step < 5; ++step) {
    double squares = 0;
    std::size_t written = 0;
    for (std::size_t end = 0; end < gradient_.size();) {
      end = std::min(end + 777, gradient_.size());
      for (; written < end; ++written)
        gradient_[written] = static_cast<float>(written % 1000 + static_cast<std::size_t>(step)) *
                             static_cast<float>(world().rank() + 1);
      reducer.ready(end);
    }
    reducer.finish();
    for (std::size_t i = 0; i < gradient_.size(); ++i) {
      // Small whole numbers: sums are exact.
      const float expected =
          static_cast<float>(i % 1000 + static_cast<std::size_t>(step)) * ranks * (ranks + 1) / 2;
      ASSERT_EQ(gradient_[i], expected) << "element " << i << " of step " << step;
      squares += double(expected) * expected;
    }
    EXPECT_EQ(replica_.inspected_, gradient_.size());
    EXPECT_DOUBLE_EQ(replica_.update({}).gradient_norm, std::sqrt(squares));
  }
}

// A value that is not finite on one rank is seen by all.
TEST_P(GradientReducerTest, NotFiniteOnOneRank) {
  GradientReducer reducer(*collective_, replica_, plan_buckets(gradient_.size(), 4096));
  std::fill(gradient_.begin(), gradient_.end(), 1.0F);
  if (world().rank() == world().size() - 1)
    gradient_[gradient_.size() / 2] = std::numeric_limits<float>::infinity();
  reducer.ready(gradient_.size());
  reducer.finish();
  EXPECT_FALSE(replica_.update({}).finite);
}

TEST_P(GradientReducerTest, RefusesMisuse) {
  EXPECT_THROW(GradientReducer(*collective_, replica_, plan_buckets(gradient_.size() - 64, 4096)), Error);
  GradientReducer reducer(*collective_, replica_, plan_buckets(gradient_.size(), 4096));
  EXPECT_THROW(reducer.finish(), Error);  // backward said nothing
}

// Counts slices; nothing travels.
class CountingCollective final : public Collective {
 public:
  std::string_view name() const override { return "counting"; }
  void start(std::span<float>) override { ++started_; }
  void progress() override {}
  void finish_next() override { ensure(finished_++ < started_, "a slice to wait for"); }
  void begin() override { started_ = finished_ = 0; }
  bool capturable() const override { return capturable_; }
  DeviceEvent last_sum() const override { return {events_ + started_}; }

  bool capturable_ = false;
  mutable char events_[1000] = {};  // one address for each sum
  std::size_t started_ = 0, finished_ = 0;
};

TEST(GradientReducerAlone, ForgetsAStepThatWasBrokenOff) {
  FakeReplica replica(small_network(50));
  CountingCollective collective;
  const std::size_t size = replica.gradient_memory().size();
  const std::vector<Bucket> buckets = plan_buckets(size, 1024);
  ASSERT_GT(buckets.size(), 2u);
  GradientReducer reducer(collective, replica, buckets);
  reducer.begin();
  reducer.ready(size / 2);
  ASSERT_GT(collective.started_, 0u);
  reducer.begin();
  reducer.ready(size);
  EXPECT_EQ(collective.started_, buckets.size());
  reducer.finish();
  EXPECT_EQ(collective.finished_, buckets.size());
}

// Where sums and updates are the device's, a bucket is reported with its sum as soon as this has been
// started; otherwise when the host has waited for it. Once in each case.
TEST(GradientReducerAlone, ReportsBucketsEarlyWhereBothSidesAllowIt) {
  for (const bool capturable : {false, true}) {
    for (const bool early : {false, true}) {
      FakeReplica replica(small_network(50), 0, early);
      CountingCollective collective;
      collective.capturable_ = capturable;
      const std::size_t size = replica.gradient_memory().size();
      const std::vector<Bucket> buckets = plan_buckets(size, 1024);
      ASSERT_LT(buckets.size(), 1000u);
      GradientReducer reducer(collective, replica, buckets);
      for (int step = 0; step < 2; ++step) {
        replica.sums_.clear();
        reducer.begin();
        reducer.ready(size / 2);
        EXPECT_EQ(replica.sums_.size(), capturable && early ? collective.started_ : 0);
        reducer.ready(size);
        reducer.finish();
        EXPECT_EQ(collective.finished_, buckets.size());
        ASSERT_EQ(replica.sums_.size(), buckets.size());
        for (std::size_t i = 0; i < buckets.size(); ++i) {
          const void* const expected = capturable && early ? collective.events_ + i + 1 : nullptr;
          EXPECT_EQ(replica.sums_[i], expected) << "bucket " << i;
        }
        replica.update({});
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, GradientReducerTest, testing::Bool(),
                         [](const auto& spare) { return spare.param ? "SpareCore" : "NoSpareCore"; });

}  // namespace
}  // namespace convoy::test
