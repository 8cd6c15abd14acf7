// Questions and a bench for tests of the tuner: candidates that compute what they are told to, and take as
// long as they are told.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/tuning/tuner.hpp"

namespace convoy::test {

// A device whose clock is made up: a candidate leaves its result and its time here.
class FakeBench final : public TrialBench {
 public:
  void prepare() override {
    values = std::vector<float>(3, std::numeric_limits<float>::quiet_NaN());
    ++prepared;
  }
  std::optional<double> milliseconds(const std::function<bool()>& run, double) override {
    ++timed;
    if (!run()) return std::nullopt;
    return time;
  }
  std::vector<float> result() override { return values; }

  std::vector<float> values;
  double time = 0;
  int prepared = 0, timed = 0;
};

struct FakeCandidate {
  std::string name;
  double milliseconds = 1;
  std::vector<float> values = {1, 2, 4};
  bool served = true, deterministic = true;
};

inline Question fake_question(FakeBench& bench, const std::vector<FakeCandidate>& candidates,
                              const std::string& key = "product 3 × 3") {
  Question question{.what = "fc6, forward", .key = key, .tolerance = 0.01, .candidates = {}};
  for (const FakeCandidate& one : candidates) {
    question.candidates.push_back({.name = one.name,
                                   .run =
                                       [&bench, one] {
                                         if (one.served)
                                           bench.values = one.values, bench.time = one.milliseconds;
                                         return one.served;
                                       },
                                   .deterministic = one.deterministic});
  }
  return question;
}

// Kept answers in memory.
class FakeMemory final : public TuningMemory {
 public:
  std::optional<Decision> find(const std::string& key) const override {
    const auto found = answers.find(key);
    return found == answers.end() ? std::nullopt : std::optional<Decision>(found->second);
  }
  Decision keep(const Decision& decision, bool replace) override {
    if (replace) answers[decision.key] = decision;
    return answers.try_emplace(decision.key, decision).first->second;
  }

  std::map<std::string, Decision> answers;
};

}  // namespace convoy::test
