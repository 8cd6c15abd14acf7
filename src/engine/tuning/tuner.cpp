#include "engine/tuning/tuner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
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

bool is_finite(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

// Of two finite results.
double relative_difference(const std::vector<float>& reference, const std::vector<float>& values) {
  if (reference.size() != values.size()) return std::numeric_limits<double>::infinity();
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    largest = std::max(largest, std::abs(double{reference[i]}));
    difference = std::max(difference, std::abs(double{values[i]} - double{reference[i]}));
  }
  return difference == 0 ? 0 : difference / largest;
}

// Whether `decision` was reached among the candidates of `question`: another version may have others.
bool is_about(const Decision& decision, const Question& question) {
  return std::ranges::equal(decision.trials, question.candidates, {}, &Trial::name, &Candidate::name);
}

}  // namespace

std::size_t Tuner::choose(const Question& question, TrialBench& bench) {
  ensure(!question.candidates.empty(), "a question has candidates");
  if (const auto before = answered(question)) return *before;
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
  measured_ += decision.source == DecisionSource::measured ? 1 : 0;
  kept_ += decision.source == DecisionSource::kept ? 1 : 0;
  record(std::move(decision));
  return chosen;
}

// Every rank has had the same answers, so all of them find the same one here.
std::optional<std::size_t> Tuner::answered(const Question& question) {
  const auto before = std::ranges::find(decisions_, question.key, &Decision::key);
  if (before == decisions_.end()) return std::nullopt;
  const std::optional<std::size_t> index = index_of(question, before->chosen);
  if (index) {
    Decision decision = *before;
    decision.what = question.what;
    record(std::move(decision));
  }
  return index;
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
  if (stops()) {
    decision.source = DecisionSource::rule;
    return by_rule(question, bench);
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
  if (!kept || !is_about(*kept, question)) return std::nullopt;
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
  reference_.reset();
  decision.source = DecisionSource::measured;
  for (std::size_t i = 0; i < question.candidates.size() && !(best && stops()); ++i) {
    const Candidate& candidate = question.candidates[i];
    Trial& trial = decision.trials.emplace_back(Trial{.name = candidate.name});
    if (options_.progress) options_.progress();
    bench.prepare();
    if (!candidate.run() || !passes(question, trial, bench.result())) continue;
    const std::optional<double> time = bench.milliseconds(candidate.run, best_time);
    if (!time) continue;
    trial.milliseconds = *time;
    trial.outcome = TrialOutcome::slower;
    if (!best || *time < best_time) best = i, best_time = *time;
  }
  reference_.reset();
  seconds_ += watch.seconds();
  if (!best) fail_without_answer(question);
  decision.trials[*best].outcome = TrialOutcome::chosen;
  decision.chosen = question.candidates[*best].name;
  const bool complete = decision.trials.size() == question.candidates.size();
  return complete && options_.memory != nullptr ? keep(question, decision, *best) : *best;
}

// Whether a trial's result may be used: it is finite and close to that of the first that was.
bool Tuner::passes(const Question& question, Trial& trial, std::vector<float> values) {
  if (!is_finite(values)) {
    trial.outcome = TrialOutcome::wrong;
    trial.difference = std::numeric_limits<double>::infinity();
    if (options_.log != nullptr)
      options_.log->warn(
          "{}: the result of \"{}\" is not finite, or it left places unwritten: it is not used",
          question.what, trial.name);
    return false;
  }
  if (!reference_) {
    reference_ = std::move(values);
    reference_name_ = trial.name;
    return true;
  }
  trial.difference = relative_difference(*reference_, values);
  if (trial.difference <= question.tolerance) return true;
  trial.outcome = TrialOutcome::wrong;
  if (options_.log != nullptr)
    options_.log->warn(
        "{}: the result of \"{}\" differs from that of \"{}\" by {:.2g} of its largest value (at most "
        "{:.2g} is rounding): it is not used",
        question.what, trial.name, reference_name_, trial.difference, question.tolerance);
  return false;
}

// Keeps a measured answer; where another process kept one meanwhile, that is the answer.
std::size_t Tuner::keep(const Question& question, Decision& decision, std::size_t best) {
  const std::optional<Decision> before = options_.memory->find(decision.key);
  // An answer that by_memory could not use must not stay.
  const bool replace = options_.mode == TuneMode::again || before.has_value();
  const Decision kept = options_.memory->keep(decision, replace);
  const std::optional<std::size_t> theirs = index_of(question, kept.chosen);
  if (kept.chosen == decision.chosen || !theirs || !is_about(kept, question)) return best;
  decision.trials = kept.trials;
  decision.source = DecisionSource::kept;
  return *theirs;
}

void Tuner::record(Decision decision) {
  const auto same = std::ranges::find_if(decisions_, [&](const Decision& other) {
    return other.what == decision.what && other.key == decision.key;
  });
  if (same != decisions_.end())
    *same = std::move(decision);
  else
    decisions_.push_back(std::move(decision));
}

Tuner Tuner::alone() const {
  Tuner result(options_);
  result.options_.agree = {};
  result.options_.leads = true;
  result.decisions_ = decisions_;
  return result;
}

void Tuner::report() {
  if (options_.log != nullptr && measured_ > 0)
    options_.log->info("selecting algorithms took {:.1f} s ({} measured, {} kept)",
                       seconds_ - reported_seconds_, measured_, kept_);
  else if (options_.log != nullptr && kept_ > 0)
    options_.log->info("algorithms are those that an earlier start measured ({} kept; --tune again measures)",
                       kept_);
  reported_seconds_ = seconds_;
  measured_ = kept_ = 0;
}

std::string decision_text(const Decision& decision) {
  std::string text = fmt::format("{}: {}", decision.what, decision.chosen);
  const auto chosen = std::ranges::find(decision.trials, TrialOutcome::chosen, &Trial::outcome);
  if (chosen == decision.trials.end())
    return fmt::format("{} ({})", text, word_of(decision_source_words(), decision.source));
  text +=
      fmt::format(" {:.4g} ms ({})", chosen->milliseconds, word_of(decision_source_words(), decision.source));
  std::string_view separator = "; ";
  for (const Trial& trial : decision.trials) {
    if (&trial == &*chosen) continue;
    text += fmt::format("{}{} ", std::exchange(separator, ", "), trial.name);
    if (trial.outcome == TrialOutcome::slower)
      text += fmt::format("{:.2f} × as long", trial.milliseconds / chosen->milliseconds);
    else
      text += word_of(trial_outcome_words(), trial.outcome);
  }
  return text;
}

}  // namespace convoy
