// A replica with a gradient and nothing else, for tests of what train/ does around one: it remembers what
// was inspected, and its results are those that the test put there.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <utility>
#include <vector>

#include "engine/training_replica.hpp"

namespace convoy::test {

class FakeReplica final : public TrainingReplica {
 public:
  explicit FakeReplica(const NetSpec& spec, int steps_ahead = 0, bool early = false)
      : spec_(spec), table_(spec), gradient_(table_.size()), steps_ahead_(steps_ahead), early_(early) {}

  const NetSpec& spec() const override { return spec_; }
  const ParameterTable& table() const override { return table_; }
  std::string_view device_name() const override { return "cpu"; }
  void write_parameters(std::span<const float>) override {}
  void read_parameters(std::span<float>) const override {}
  void write_gradients(std::span<const float>) override {}
  void read_gradients(std::span<float>) const override {}
  void write_slot(int, std::span<const float>) override {}
  void read_slot(int, std::span<float>) const override {}
  std::span<float> gradient_memory() override { return gradient_; }
  std::unique_ptr<Program> compile(const ProgramOptions&) override { return nullptr; }
  void enter(Phase) override {}
  void gradients_summed(std::size_t begin, std::size_t end, DeviceEvent sum) override {
    sums_.push_back(sum.native);
    ASSERT_EQ(begin, inspected_);  // in order, without gaps
    inspected_ = end;
    for (std::size_t i = begin; i < end; ++i) norm_ += double(gradient_[i]) * gradient_[i];
  }
  void stage_update(const UpdateStep&) override {}
  void apply_update() override {
    inspected_ = 0;
    const double norm = std::exchange(norm_, 0);
    results_.push_back({.update = {.finite = std::isfinite(norm), .gradient_norm = std::sqrt(norm)},
                        .metrics = {},
                        .seconds = {}});
  }
  StepResult take_result() override {
    EXPECT_FALSE(results_.empty()) << "a result was asked for before its update";
    const StepResult result = results_.front();
    results_.pop_front();
    return result;
  }
  int steps_ahead() const override { return steps_ahead_; }

  // An update with this result has been enqueued.
  void put_result(const StepResult& result) { results_.push_back(result); }
  std::size_t outstanding() const { return results_.size(); }

  bool updates_early() const override { return early_; }

  std::size_t inspected_ = 0;
  std::vector<void*> sums_;  // of gradients_summed

 private:
  NetSpec spec_;
  ParameterTable table_;
  std::vector<float> gradient_;
  int steps_ahead_;
  bool early_;
  double norm_ = 0;
  std::deque<StepResult> results_;
};

}  // namespace convoy::test
