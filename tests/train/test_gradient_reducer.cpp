#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "support/mpi_test.hpp"
#include "train/checkpoint_samples.hpp"
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

// A replica with a gradient and nothing else; remembers what was inspected.
class FakeReplica final : public Replica {
 public:
  explicit FakeReplica(const NetSpec& spec) : spec_(spec), table_(spec), gradient_(table_.size()) {}
  const NetSpec& spec() const override { return spec_; }
  const ParameterTable& table() const override { return table_; }
  std::string_view device_name() const override { return "cpu"; }
  void write(Slot, std::span<const float>) override {}
  void read(Slot, std::span<float>) const override {}
  std::span<float> gradient_memory() override { return gradient_; }
  std::unique_ptr<Program> compile(const ProgramOptions&) override { return nullptr; }
  void inspect_gradients(std::size_t begin, std::size_t end) override {
    ASSERT_EQ(begin, inspected_);  // in order, without gaps
    inspected_ = end;
    for (std::size_t i = begin; i < end; ++i) norm_ += double(gradient_[i]) * gradient_[i];
  }
  UpdateResult update(const UpdateStep&) override {
    inspected_ = 0;
    const double norm = std::exchange(norm_, 0);
    return {std::isfinite(norm), std::sqrt(norm)};
  }

  std::size_t inspected_ = 0;

 private:
  NetSpec spec_;
  ParameterTable table_;
  std::vector<float> gradient_;
  double norm_ = 0;
};

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
    EXPECT_GE(reducer.finish(), 0);
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

INSTANTIATE_TEST_SUITE_P(Threads, GradientReducerTest, testing::Bool(),
                         [](const auto& spare) { return spare.param ? "SpareCore" : "NoSpareCore"; });

}  // namespace
}  // namespace convoy::test
