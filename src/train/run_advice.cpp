#include "train/run_advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace convoy {
namespace {

using Change = Advice::Change;

// What a judgement is made of: enough steps and time that one hiccup does not decide it.
constexpr std::int64_t least_steps = 10;
constexpr double least_seconds = 3;

constexpr int in_a_row = 2;
constexpr double growth_worth_telling = 1.5;

// The lower one of two in the middle: with two ranks the faster one is what the other is compared with.
double lower_median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

int index_of_largest(const std::vector<double>& values) {
  return static_cast<int>(std::ranges::max_element(values) - values.begin());
}

std::vector<double> column(std::span<const RankTimes> ranks, double RankTimes::*member) {
  std::vector<double> values;
  values.reserve(ranks.size());
  for (const RankTimes& rank : ranks) values.push_back(rank.*member);
  return values;
}

std::string percent(double fraction) {
  return fmt::format("{:.0f} %", 100 * fraction);
}

}  // namespace

bool SlowdownTracker::tell(Change change, double measure, int subject) {
  change_ = change;
  told_ = measure;
  told_subject_ = subject;
  active_ = change != Change::clears;
  over_ = worse_ = under_ = 0;
  since_told_ = 0;
  return true;
}

bool SlowdownTracker::judge(double measure, int subject) {
  ++since_told_;
  if (subject != last_subject_) over_ = worse_ = 0;
  last_subject_ = subject;
  over_ = measure >= begin_ ? over_ + 1 : 0;
  worse_ = measure >= growth_worth_telling * told_ ? worse_ + 1 : 0;
  under_ = measure < clear_ ? under_ + 1 : 0;
  const bool rests = since_told_ < pause;
  const bool is_news = !active_ || subject != told_subject_;
  if (is_news && !rests && over_ >= in_a_row) return tell(Change::begins, measure, subject);
  if (!active_) return false;
  if (!is_news && worse_ >= in_a_row) return tell(Change::worsens, measure, subject);
  if (under_ >= in_a_row) return tell(Change::clears, measure, subject);
  return false;
}

// Of the steps gathered for a judgement.
struct RunAdvisor::Measures {
  double step_seconds = 0;     // of a step
  double input = 0;            // fraction of a step that the rank with the most of it waits for images …
  int input_rank = 0;          // … which is this one …
  double input_elsewhere = 0;  // … and of a rank in the middle
  double lag = 0;              // how much longer the slowest rank computes than a rank in the middle: 0.4
  int slow_rank = 0;
  double slow_seconds = 0, usual_seconds = 0;  // that it and a rank in the middle compute in a step
  double exposed = 0;  // fraction of a step that even the rank that all wait for waits for sums
};

RunAdvisor::Measures RunAdvisor::measure() const {
  const auto steps = static_cast<double>(steps_);
  const std::vector<double> input = column(ranks_, &RankTimes::input);
  const std::vector<double> computing = column(ranks_, &RankTimes::computing);
  Measures m;
  m.step_seconds = seconds_ / steps;
  m.input_rank = index_of_largest(input);
  m.input = input[static_cast<std::size_t>(m.input_rank)] / seconds_;
  m.input_elsewhere = lower_median(input) / seconds_;
  m.slow_rank = index_of_largest(computing);
  m.slow_seconds = computing[static_cast<std::size_t>(m.slow_rank)] / steps;
  m.usual_seconds = lower_median(computing) / steps;
  if (m.usual_seconds > 0) m.lag = m.slow_seconds / m.usual_seconds - 1;
  m.exposed = std::ranges::min(column(ranks_, &RankTimes::exposed)) / seconds_;
  return m;
}

std::vector<Advice> RunAdvisor::judge(const WindowTimes& times) {
  if (!std::exchange(warm_, true) || times.steps == 0) return {};
  steps_ += times.steps;
  seconds_ += times.seconds;
  ranks_.resize(times.ranks.size());
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    ranks_[i].computing += times.ranks[i].computing;
    ranks_[i].input += times.ranks[i].input;
    ranks_[i].exposed += times.ranks[i].exposed;
  }
  if (steps_ < least_steps || seconds_ < least_seconds || ranks_.empty()) return {};
  const Measures measures = measure();
  std::vector<Advice> advice;
  judge_input(measures, advice);
  if (ranks_.size() > 1) {
    judge_ranks(measures, advice);
    judge_communication(measures, advice);
  }
  steps_ = 0;
  seconds_ = 0;
  ranks_.clear();
  return advice;
}

std::string RunAdvisor::name_of(int rank) const {
  const auto index = static_cast<std::size_t>(rank);
  return index < facts_.hosts.size() ? fmt::format("rank {} on {}", rank, facts_.hosts[index])
                                     : fmt::format("rank {}", rank);
}

void RunAdvisor::judge_input(const Measures& m, std::vector<Advice>& advice) {
  // Every rank reads its own part, but where all of them wait no rank is to blame.
  const bool alone = ranks_.size() > 1 && m.input_elsewhere < 0.5 * m.input;
  if (!input_.judge(m.input, alone ? m.input_rank : -1)) return;
  const Change change = input_.change();
  const std::string where = alone ? fmt::format(" on {}", name_of(m.input_rank)) : "";
  advice.push_back(
      {"starved", change,
       change == Change::clears
           ? fmt::format("input no longer delays the steps: it waits {} of a step", percent(m.input))
           : fmt::format("input {}waits {} of the step{}: raise --workers (now {}){}",
                         change == Change::worsens ? "now " : "", percent(m.input), where, facts_.workers,
                         facts_.staged ? "" : " or copy the shards to a local disk with --stage")});
}

void RunAdvisor::judge_ranks(const Measures& m, std::vector<Advice>& advice) {
  if (!straggler_.judge(m.lag, m.slow_rank)) return;
  const Change change = straggler_.change();
  if (change == Change::clears) {
    advice.push_back(
        {"straggler", change,
         fmt::format("no rank delays the others any more: the slowest is {:.2f} × slower than {}", 1 + m.lag,
                     ranks_.size() == 2 ? "the other" : "the median")});
    return;
  }
  advice.push_back(
      {"straggler", change,
       fmt::format(
           "{} is {}{:.1f} × slower than {} ({:.3g} s of work in a step, not {:.3g} s), and all ranks "
           "wait for it: look for other programs, a reduced clock or fewer cores there",
           name_of(m.slow_rank), change == Change::worsens ? "now " : "", 1 + m.lag,
           ranks_.size() == 2 ? "the other" : "the median", m.slow_seconds, m.usual_seconds)});
}

void RunAdvisor::judge_communication(const Measures& m, std::vector<Advice>& advice) {
  if (!communication_.judge(m.exposed, -1)) return;
  const Change change = communication_.change();
  if (change == Change::clears) {
    advice.push_back({"communication", change,
                      fmt::format("computation hides the sums of gradients again, but for {} of the step",
                                  percent(m.exposed))});
    return;
  }
  std::string remedies = "a larger --global-batch";
  if (facts_.nccl && facts_.wire == WirePrecision::fp32) remedies += ", --wire-precision bf16";
  remedies +=
      facts_.nodes > 1 || facts_.nccl ? " or a faster network" : " or fewer ranks with more --threads";
  advice.push_back({"communication", change,
                    fmt::format("sums of gradients {}take {} of the step beyond the computation that hides "
                                "them: try {}",
                                change == Change::worsens ? "now " : "", percent(m.exposed), remedies)});
}

}  // namespace convoy
