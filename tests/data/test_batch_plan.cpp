#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "data/batch_plan.hpp"

namespace convoy {
namespace {

TEST(BatchPlan, CountsSteps) {
  EXPECT_EQ((BatchPlan{1281167, 256, 8, 1}.steps_per_epoch()), 5005);
  EXPECT_EQ((BatchPlan{256, 256, 8, 1}.steps_per_epoch()), 1);
  EXPECT_EQ((BatchPlan{257, 256, 8, 1}.steps_per_epoch()), 2);
  EXPECT_EQ((BatchPlan{0, 256, 8, 1}.steps_per_epoch()), 0);
  const BatchPlan plan{1000, 300, 3, 1};
  EXPECT_EQ(plan.samples_in_step(0), 300);
  EXPECT_EQ(plan.samples_in_step(3), 100);
  EXPECT_EQ(plan.samples_in_step(4), 0);
}

// Every position of every step belongs to exactly one rank and micro-batch, in order, and no part is larger
// than the batch that programs are compiled for.
TEST(BatchPlan, SharesEachStepExactly) {
  for (const std::int64_t images : {1, 5, 64, 101, 1000})
    for (const std::int64_t batch : {1, 3, 16, 64, 100})
      for (const int ranks : {1, 2, 3, 4, 7})
        for (const int accumulate : {1, 2, 3}) {
          const BatchPlan plan{images, batch, ranks, accumulate};
          std::int64_t samples = 0, largest = 0;
          for (std::int64_t step = 0; step < plan.steps_per_epoch(); ++step) {
            std::int64_t next = 0;
            for (int rank = 0; rank < ranks; ++rank)
              for (int micro = 0; micro < accumulate; ++micro) {
                const Range rows = plan.rows(step, rank, micro);
                ASSERT_EQ(rows.begin, next);
                ASSERT_GE(rows.size(), 0);
                largest = std::max(largest, rows.size());
                next = rows.end;
              }
            ASSERT_EQ(next, plan.samples_in_step(step));
            samples += next;
          }
          EXPECT_EQ(samples, images);
          EXPECT_EQ(largest, plan.rows_at_most())
              << images << " images, batch " << batch << ", " << ranks << " ranks, " << accumulate;
        }
}

TEST(BatchPlan, GivesEveryRankItsContiguousPart) {
  const BatchPlan plan{1000, 256, 8, 1};
  EXPECT_EQ(plan.rows(0, 3, 0).begin, 96);
  EXPECT_EQ(plan.rows(0, 3, 0).end, 128);
  // The last step has 232 samples: 29 a rank.
  EXPECT_EQ(plan.rows(3, 3, 0).begin, 87);
  EXPECT_EQ(plan.rows(3, 3, 0).end, 116);
}

bool is_permutation_of_all(std::vector<std::uint32_t> order, std::int64_t images) {
  std::ranges::sort(order);
  std::vector<std::uint32_t> all(static_cast<std::size_t>(images));
  std::iota(all.begin(), all.end(), 0U);
  return order == all;
}

TEST(SampleOrder, IsAPermutationOfItsOwn) {
  for (const std::int64_t images : {0, 1, 2, 3, 100, 4097})
    EXPECT_TRUE(is_permutation_of_all(sample_order(5, 2, images), images)) << images;
  EXPECT_EQ(sample_order(5, 2, 100), sample_order(5, 2, 100));
  EXPECT_NE(sample_order(5, 2, 100), sample_order(5, 3, 100));
  EXPECT_NE(sample_order(5, 2, 100), sample_order(6, 2, 100));
}

// Changing this changes the order of every run.
TEST(SampleOrder, HasAFrozenValue) {
  EXPECT_EQ(sample_order(1, 0, 10), (std::vector<std::uint32_t>{0, 1, 2, 4, 9, 6, 3, 5, 8, 7}));
}

// Each of the 24 orders of 4 samples must come up equally often over epochs.
TEST(SampleOrder, IsEven) {
  std::map<std::vector<std::uint32_t>, int> counts;
  constexpr int epochs = 24000;
  for (std::uint32_t epoch = 0; epoch < epochs; ++epoch) ++counts[sample_order(77, epoch, 4)];
  ASSERT_EQ(counts.size(), 24U);
  double chi_squared = 0;
  for (const auto& [order, count] : counts) chi_squared += std::pow(count - 1000, 2) / 1000.0;
  EXPECT_LT(chi_squared,
            49.7);  // 23 degrees of freedom: exceeded by chance once in 1,000; the draws are fixed
}

TEST(SampleOrderByNode, WithOneNodeIsTheGlobalOrder) {
  EXPECT_EQ(sample_order_by_node(3, 4, {101, 16, 2, 1}, 1), sample_order(3, 4, 101));
}

// Each node's ranks read one contiguous piece of the split, the same in every epoch, and all of it.
TEST(SampleOrderByNode, KeepsNodesToTheirPiece) {
  for (const std::int64_t images : {10, 64, 101, 1000})
    for (const std::int64_t batch : {4, 16, 48})
      for (const int nodes : {2, 3, 4})
        for (const int ranks_per_node : {1, 2, 4}) {
          const BatchPlan plan{images, batch, nodes * ranks_per_node, 1};
          std::vector<std::set<std::uint32_t>> of_node(static_cast<std::size_t>(nodes));
          for (const std::uint32_t epoch : {0U, 1U}) {
            const auto order = sample_order_by_node(9, epoch, plan, nodes);
            ASSERT_TRUE(is_permutation_of_all(order, images));
            std::vector<std::set<std::uint32_t>> seen(static_cast<std::size_t>(nodes));
            for (std::int64_t step = 0; step < plan.steps_per_epoch(); ++step)
              for (int rank = 0; rank < plan.ranks; ++rank) {
                const Range rows = plan.rows(step, rank, 0);
                for (std::int64_t i = rows.begin; i < rows.end; ++i)
                  seen[static_cast<std::size_t>(rank / ranks_per_node)].insert(
                      order[static_cast<std::size_t>(step * batch + i)]);
              }
            std::uint32_t next = 0;
            for (const auto& samples : seen) {
              if (samples.empty()) continue;
              EXPECT_EQ(*samples.begin(), next);
              EXPECT_EQ(*samples.rbegin() - *samples.begin() + 1, samples.size()) << "not contiguous";
              next = *samples.rbegin() + 1;
            }
            if (epoch == 0) of_node = seen;
            EXPECT_EQ(seen, of_node) << "another piece in another epoch";
          }
          EXPECT_NE(sample_order_by_node(9, 0, plan, nodes), sample_order_by_node(9, 1, plan, nodes));
        }
}

TEST(SampleOrderByNode, DependsOnNodesNotOnRanks) {
  EXPECT_EQ(sample_order_by_node(9, 1, {1000, 64, 2, 1}, 2), sample_order_by_node(9, 1, {1000, 64, 8, 2}, 2));
  EXPECT_NE(sample_order_by_node(9, 1, {1000, 64, 8, 1}, 2), sample_order_by_node(9, 1, {1000, 64, 8, 1}, 4));
}

}  // namespace
}  // namespace convoy
