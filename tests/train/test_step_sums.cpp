// What is known of a step is acted upon three steps later on every rank, whether its replica ends each step
// at once (a CPU) or is two behind (a GPU).
#include <gtest/gtest.h>

#include <limits>

#include "checkpoint/checkpoint_samples.hpp"
#include "support/mpi_test.hpp"
#include "train/fake_replica.hpp"
#include "train/step_sums.hpp"

namespace convoy::test {
namespace {

class StepSumsTest : public testing::TestWithParam<int> {
 protected:
  bool last_rank() const { return world().rank() + 1 == world().size(); }

  StepResult result_of(std::int64_t step) const {
    return {.update = {},
            .metrics = {.loss = static_cast<double>(step), .top1 = 1, .top5 = 2, .samples = 4},
            .seconds = {.forward = 1, .backward = 2, .exposed = 3, .update = 4}};
  }

  std::atomic<bool> stop_ = false;
  FakeReplica replica_{small_network(), GetParam()};
  std::int64_t ranks_ = world().size();
};

TEST_P(StepSumsTest, ComeInOrderAfterTheDelay) {
  StepSumQueue queue(world(), replica_, Overflow::diverges, stop_);
  StepSums sums;
  for (std::int64_t step = 1; step <= 5; ++step) {
    StepResult result = result_of(step);
    result.update.finite = !(step == 2 && last_rank());
    result.update.weights_sound = !(step == 5 && last_rank());
    replica_.put_result(result);
    queue.enqueued(step);
    // The host is as far ahead as the replica allows, no less: it would wait for the device.
    EXPECT_EQ(replica_.outstanding(), static_cast<std::size_t>(std::min<std::int64_t>(GetParam(), step)));
    EXPECT_EQ(queue.pop(sums), step > 3);
    if (step > 3) {
      EXPECT_EQ(sums.step, step - 3);
    }
    EXPECT_FALSE(queue.pop(sums)) << "two steps were acted upon at once";
  }
  // Steps 1 and 2 were taken above; sums now holds step 2, which the last rank called not finite.
  EXPECT_FALSE(sums.finite);
  EXPECT_FALSE(sums.skipped);
  EXPECT_EQ(sums.loss, 2.0 * static_cast<double>(ranks_ - 1));  // the bad rank's loss is left out
  queue.take_all();
  EXPECT_EQ(replica_.outstanding(), 0U);
  for (std::int64_t step = 3; step <= 5; ++step) {
    ASSERT_TRUE(queue.pop_any(sums));
    EXPECT_EQ(sums.step, step);
    const bool broken = step == 5;  // the last rank's weights
    EXPECT_EQ(sums.finite, !broken);
    EXPECT_EQ(sums.samples, 4 * ranks_);
    EXPECT_EQ(sums.loss, static_cast<double>(step * (broken ? ranks_ - 1 : ranks_)));
  }
  EXPECT_FALSE(queue.pop_any(sums));
  const PhaseSeconds seconds = queue.take_seconds();
  EXPECT_EQ(seconds.forward, 5);
  EXPECT_EQ(seconds.update, 20);
  EXPECT_EQ(queue.take_seconds().backward, 0);
}

// A request on one rank travels with the next result that is taken there.
TEST_P(StepSumsTest, AStopIsSeenByAllRanksAtTheSameStep) {
  StepSumQueue queue(world(), replica_, Overflow::diverges, stop_);
  std::int64_t seen_at = 0;
  for (std::int64_t step = 1; step <= 12 && seen_at == 0; ++step) {
    if (step == 5 && last_rank()) stop_ = true;
    replica_.put_result(result_of(step));
    queue.enqueued(step);
    StepSums sums;
    while (queue.pop(sums))
      if (sums.stop) seen_at = step;
  }
  EXPECT_EQ(seen_at, 8 - GetParam());  // step 5 took the result of step 5 − steps_ahead
}

// fp16: a gradient that overflows leaves the step out, until the scale is 1 and there is nothing to lower.
TEST_P(StepSumsTest, AnOverflowIsSkippedWhileTheScaleCanFall) {
  StepSumQueue queue(world(), replica_, Overflow::skips, stop_);
  StepResult overflow = result_of(1), hopeless = result_of(2), lost = result_of(3);
  overflow.update.finite = hopeless.update.finite = false;
  overflow.loss_scale = 1024;
  lost.loss_scale = 1024;
  if (last_rank()) lost.metrics.loss = std::numeric_limits<double>::quiet_NaN();
  std::int64_t step = 0;
  for (const StepResult& result : {overflow, hopeless, lost}) {
    replica_.put_result(result);
    queue.enqueued(++step);
  }
  queue.take_all();
  StepSums sums;
  ASSERT_TRUE(queue.pop_any(sums));
  EXPECT_TRUE(sums.finite && sums.skipped);
  EXPECT_EQ(sums.loss_scale, 1024);
  EXPECT_EQ(sums.loss, static_cast<double>(ranks_));  // it counts: the forward pass was sound
  ASSERT_TRUE(queue.pop_any(sums));
  EXPECT_FALSE(sums.finite || sums.skipped);
  ASSERT_TRUE(queue.pop_any(sums));
  EXPECT_FALSE(sums.finite || sums.skipped);
}

INSTANTIATE_TEST_SUITE_P(Ahead, StepSumsTest, testing::Values(0, 2),
                         [](const auto& ahead) { return ahead.param == 0 ? "AtOnce" : "TwoBehind"; });

}  // namespace
}  // namespace convoy::test
