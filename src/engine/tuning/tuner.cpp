#include "engine/tuning/tuner.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace convoy {

namespace {

std::optional<std::size_t> index_of(const Question& question, const std::string& name) {
  for (std::size_t i = 0; i < question.candidates.size(); ++i)
    if (question.candidates[i].name == name) return i;
  return std::nullopt;
}

[[noreturn]] void fail_without_answer(const Question& question) {
  fail(ExitCode::device, "this device serves no way to compute {} ({})", question.what, question.key);
}

// Infinite where either result has a NaN that the other has not: a candidate that left values unwritten.
double relative_difference(const std::vector<float>& reference, const std::vector<float>& values) {
  if (reference.size() != values.size()) return std::numeric_limits<double>::infinity();
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]) || !std::isfinite(reference[i]))
      return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::abs(double{reference[i]}));
    difference = std::max(difference, std::abs(double{values[i]} - double{reference[i]}));
  }
  return difference == 0 ? 0 : difference / largest;
}

}  // namespace

std::size_t Tuner::choose(const Question& question, TrialBench& bench) {
  ensure(!question.candidates.empty(), "a question has candidates");
  Decision decision{.what = question.what, .key = question.key, .chosen = {}, .trials = {}};
  std::size_t chosen = 0;
  if (options_.leads) chosen = answer(question, bench, decision);
  if (options_.agree) {
    const std::string agreed =
        options_.agree(options_.leads ? question.candidates[chosen].name : std::string());
    const std::optional<std::size_t> here = index_of(question, agreed);
    if (!here) {
      fail(ExitCode::device,
           "rank 0 computes {} by \"{}\", which does not exist here: do all ranks run the same version on "
           "devices of one kind?",
           question.what, agreed);
    }
    if (!options_.leads) decision.source = DecisionSource::rank_zero;
    chosen = *here;
  }
  decision.chosen = question.candidates[chosen].name;
  record(std::move(decision));
  return chosen;
}

std::size_t Tuner::answer(const Question& question, TrialBench& bench, Decision& decision) {
  if (options_.deterministic || options_.mode == TuneMode::off) {
    decision.source = DecisionSource::rule;
    return by_rule(question, bench);
  }
  if (question.candidates.size() == 1) {
    bench.prepare();
    if (!question.candidates.front().run()) fail_without_answer(question);
    return 0;
  }
  if (options_.mode == TuneMode::automatic) {
    if (const auto kept = by_memory(question, bench, decision)) return *kept;
  }
  return by_measurement(question, bench, decision);
}

std::size_t Tuner::by_rule(const Question& question, TrialBench& bench) const {
  bench.prepare();
  for (std::size_t i = 0; i < question.candidates.size(); ++i) {
    const Candidate& candidate = question.candidates[i];
    if ((candidate.deterministic || !options_.deterministic) && candidate.run()) return i;
  }
  fail_without_answer(question);
}

std::optional<std::size_t> Tuner::by_memory(const Question& question, TrialBench& bench,
                                            Decision& decision) const {
  if (options_.memory == nullptr) return std::nullopt;
  const std::optional<Decision> kept = options_.memory->find(question.key);
  if (!kept) return std::nullopt;
  const std::optional<std::size_t> index = index_of(question, kept->chosen);
  bench.prepare();
  if (!index || !question.candidates[*index].run()) return std::nullopt;
  decision.source = DecisionSource::kept;
  decision.trials = kept->trials;
  return index;
}

std::size_t Tuner::by_measurement(const Question& question, TrialBench& bench, Decision& decision) {
  const Stopwatch watch;
  std::optional<std::size_t> best;
  double best_time = std::numeric_limits<double>::infinity();
  std::optional<std::vector<float>> reference;
  std::string reference_name;
  bool complete = true;
  decision.source = DecisionSource::measured;
  for (std::size_t i = 0; i < question.candidates.size(); ++i) {
    if (best && options_.should_stop && options_.should_stop()) {
      complete = false;
      break;
    }
    const Candidate& candidate = question.candidates[i];
    Trial& trial = decision.trials.emplace_back(Trial{.name = candidate.name});
    bench.prepare();
    if (!candidate.run()) continue;
    std::vector<float> values = bench.result();
    if (!reference) {
      reference = std::move(values);
      reference_name = candidate.name;
    } else {
      trial.difference = relative_difference(*reference, values);
      if (!(trial.difference <= question.tolerance)) {
        trial.outcome = TrialOutcome::wrong;
        if (options_.log != nullptr)
          options_.log->warn(
              "{}: the result of \"{}\" differs from that of \"{}\" by {:.2g} of its largest value (at most "
              "{:.2g} is rounding): it is not used",
              question.what, candidate.name, reference_name, trial.difference, question.tolerance);
        continue;
      }
    }
    const std::optional<double> time = bench.milliseconds(candidate.run, best_time);
    if (!time) continue;
    trial.milliseconds = *time;
    trial.outcome = TrialOutcome::slower;
    if (*time < best_time) best = i, best_time = *time;
  }
  seconds_ += watch.seconds();
  if (!best) fail_without_answer(question);
  decision.trials[*best].outcome = TrialOutcome::chosen;
  decision.chosen = question.candidates[*best].name;
  if (options_.memory == nullptr || !complete) return *best;
  const Decision kept = options_.memory->keep(decision, options_.mode == TuneMode::again);
  if (kept.chosen == decision.chosen) return *best;
  const std::optional<std::size_t> theirs = index_of(question, kept.chosen);
  if (!theirs) return *best;
  decision.trials = kept.trials;
  decision.source = DecisionSource::kept;
  return *theirs;
}

void Tuner::record(Decision decision) {
  const auto same = std::ranges::find(decisions_, decision.key, &Decision::key);
  if (same != decisions_.end())
    *same = std::move(decision);
  else
    decisions_.push_back(std::move(decision));
}

}  // namespace convoy
