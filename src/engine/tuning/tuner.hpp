// Chooses between ways to compute the same result by running them where the program runs. An engine describes
// each place where it has a choice as a Question, in the order of preference; the Tuner answers by a rule or
// by measurement, and gives every rank the answer of rank 0. Used by both engines while a program is
// compiled, never inside a capture.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/words.hpp"

namespace convoy {

// automatic: a kept answer, or else a measurement; off: the first candidate that works; again: a measurement
// even where an answer is kept.
enum class TuneMode { automatic, off, again };

inline Words<TuneMode> tune_words() {
  return {{"auto", TuneMode::automatic}, {"off", TuneMode::off}, {"again", TuneMode::again}};
}

// One way to compute a result.
struct Candidate {
  std::string name;           // the same in every start and on every rank; one line
  std::function<bool()> run;  // once, on the trial's operands; false: not served on this device
  bool deterministic = true;  // the same bits from the same operands
};

// A place where an engine has a choice.
struct Question {
  std::string what;  // for people: "conv2, forward"
  std::string key;   // everything but the machine that the answer depends on: operation, shape, precision
  // Largest difference of a right result from that of the first candidate that works, relative to the
  // largest absolute value of that result. A result that is not finite is wrong.
  double tolerance = 0;
  std::vector<Candidate> candidates;  // in order of preference
};

// Runs candidates on an engine's device.
class TrialBench {
 public:
  virtual ~TrialBench() = default;
  // Fills the operands with the same values each time, and the result with NaN.
  virtual void prepare() = 0;
  // How long `run` takes after a warm-up; none when it returns false. A run that is hopeless beside `best`
  // need not be repeated.
  virtual std::optional<double> milliseconds(const std::function<bool()>& run, double best) = 0;
  // The values that the last run computed, or an even sample of them: of every candidate the same ones.
  virtual std::vector<float> result() = 0;
};

// How a decision was reached.
enum class DecisionSource { only, rule, measured, kept, rank_zero };

inline Words<DecisionSource> decision_source_words() {
  return {{"only", DecisionSource::only},
          {"rule", DecisionSource::rule},
          {"measured", DecisionSource::measured},
          {"kept", DecisionSource::kept},
          {"rank-0", DecisionSource::rank_zero}};
}

enum class TrialOutcome { chosen, slower, refused, wrong };

inline Words<TrialOutcome> trial_outcome_words() {
  return {{"chosen", TrialOutcome::chosen},
          {"slower", TrialOutcome::slower},
          {"refused", TrialOutcome::refused},
          {"wrong", TrialOutcome::wrong}};
}

struct Trial {
  std::string name;
  TrialOutcome outcome = TrialOutcome::refused;
  double milliseconds = 0;  // where it was measured
  double difference = 0;    // from the first that works, relative as in Question::tolerance
};

struct Decision {
  std::string what, key, chosen;
  DecisionSource source = DecisionSource::only;
  std::vector<Trial> trials;  // of a measurement, also of the one whose answer was kept
};

// A decision as a line: what was chosen, and how the others compare where they were measured.
std::string decision_text(const Decision& decision);

// Kept answers of one machine, by Question::key.
class TuningMemory {
 public:
  virtual ~TuningMemory() = default;
  virtual std::optional<Decision> find(const std::string& key) const = 0;
  // Keeps an answer and returns the one to use: that of another process where it was kept first, unless
  // `replace`.
  virtual Decision keep(const Decision& decision, bool replace) = 0;
};

struct TunerOptions {
  TuneMode mode = TuneMode::automatic;
  bool deterministic = true;  // by rule: the first candidate that works and gives the same bits each time
  bool leads = true;          // this rank answers for all; the others take its answers through `agree`
  std::function<std::string(const std::string& mine)> agree = {};  // rank 0's text; empty with one rank
  // Ends measurements early: with the best so far, or the first that works.
  std::function<bool()> should_stop = {};
  std::function<void()> progress = {};  // called before each candidate is measured
  const Log* log = nullptr;             // wrong candidates, and the time that measuring took; null: nowhere
  std::shared_ptr<TuningMemory> memory = {};
};

class Tuner {
 public:
  explicit Tuner(TunerOptions options) : options_(std::move(options)) {}

  // Index of the candidate to use. Throws ExitCode::device when none works, and when rank 0's choice does not
  // exist here.
  std::size_t choose(const Question& question, TrialBench& bench);

  // Whether the answer may be another than the first candidate that works.
  bool measures() const { return !options_.deterministic && options_.mode != TuneMode::off; }

  // In the order of the questions, one for each `what` and key. A question whose key was answered before gets
  // the same answer, without another measurement.
  const std::vector<Decision>& decisions() const { return decisions_; }
  double seconds() const { return seconds_; }  // that measurements took

  // A tuner for a program that this rank alone compiles: it asks no other, and has the answers so far.
  Tuner alone() const;

  // Says in the log how long the choices since the last report took, and how many were measured. An engine
  // calls it when a program has been compiled.
  void report();

 private:
  std::optional<std::size_t> answered(const Question& question);
  std::size_t answer(const Question& question, TrialBench& bench, Decision& decision);
  std::size_t by_rule(const Question& question, TrialBench& bench) const;
  std::optional<std::size_t> by_memory(const Question& question, TrialBench& bench, Decision& decision) const;
  bool passes(const Question& question, Trial& trial, std::vector<float> values);
  std::size_t keep(const Question& question, Decision& decision, std::size_t best);
  bool stops() const { return options_.should_stop && options_.should_stop(); }
  std::size_t by_measurement(const Question& question, TrialBench& bench, Decision& decision);
  void record(Decision decision);

  TunerOptions options_;
  std::vector<Decision> decisions_;
  std::optional<std::vector<float>> reference_;  // of the question that is being measured
  std::string reference_name_;
  double seconds_ = 0;
  double reported_seconds_ = 0;
  int measured_ = 0, kept_ = 0;  // since the last report
};

}  // namespace convoy
