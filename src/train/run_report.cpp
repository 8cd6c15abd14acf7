#include "train/run_report.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace convoy {
namespace {

// What the ranks tell each other of the steps since the last record, in one message.
struct GatheredTimes {
  double total = 0, input = 0;  // on the slowest rank, as all of these
  PhaseSeconds phases;
  std::vector<RankTimes> ranks;
};

// One maximum for both: a rank leaves 0 in the places of the others' own times.
GatheredTimes gather_times(Communicator& communicator, double total, double input,
                           const PhaseSeconds& phases) {
  const std::array<double, 6> slowest = {total,           input,          phases.forward,
                                         phases.backward, phases.exposed, phases.update};
  constexpr std::size_t by_rank = slowest.size();
  const auto ranks = static_cast<std::size_t>(communicator.size());
  std::vector<double> values(by_rank + 3 * ranks);
  std::ranges::copy(slowest, values.begin());
  double* mine = &values[by_rank + 3 * static_cast<std::size_t>(communicator.rank())];
  mine[0] = phases.forward + phases.backward + phases.update;
  mine[1] = input;
  mine[2] = phases.exposed;
  communicator.maximum(values);
  GatheredTimes times{
      .total = values[0],
      .input = values[1],
      .phases = {.forward = values[2], .backward = values[3], .exposed = values[4], .update = values[5]},
      .ranks = std::vector<RankTimes>(ranks)};
  for (std::size_t i = 0; i < ranks; ++i) {
    const double* theirs = &values[by_rank + 3 * i];
    times.ranks[i] = {.computing = theirs[0], .input = theirs[1], .exposed = theirs[2]};
  }
  return times;
}

// Of each rank's own work in a step. The median of an even number is the mean of the two in the middle.
RankSpread spread_of(std::span<const RankTimes> ranks, bool pipelined, double steps,
                     std::span<const std::string> hosts) {
  std::vector<double> own;
  own.reserve(ranks.size());
  for (const RankTimes& rank : ranks)
    own.push_back((pipelined ? std::max(rank.input, rank.computing) : rank.input + rank.computing) / steps);
  const auto slowest = static_cast<std::size_t>(std::ranges::max_element(own) - own.begin());
  std::ranges::sort(own);
  const std::size_t middle = own.size() / 2;
  return {.least = own.front(),
          .median = own.size() % 2 == 1 ? own[middle] : 0.5 * (own[middle - 1] + own[middle]),
          .most = own.back(),
          .slowest = static_cast<int>(slowest),
          .host = slowest < hosts.size() ? hosts[slowest] : std::string()};
}

}  // namespace

RunReport::RunReport(std::span<Observer* const> observers, Communicator& communicator, const Log& log,
                     const ResolvedRun& run, int attempt, std::int64_t first_step, bool pipelined)
    : observers_(observers),
      communicator_(communicator),
      log_(log),
      run_(run),
      attempt_(attempt),
      first_step_(first_step),
      pipelined_(pipelined) {}

template <typename Record>
void RunReport::notify(void (Observer::*method)(const Record&), const Record& record) const {
  if (communicator_.rank() != 0) return;
  for (Observer* observer : observers_) (observer->*method)(record);
}

void RunReport::start(const RunRecord& record) {
  started_ = record;
  advisor_.emplace(AdviceFacts{.hosts = record.hosts,
                               .nodes = record.nodes,
                               .workers = run_.configuration.workers,
                               .staged = !run_.configuration.stage.empty(),
                               .nccl = record.collective == "nccl",
                               .wire = run_.configuration.wire});
  notify(&Observer::on_start, record);
}

void RunReport::startup(const StartupPhases& phases) {
  started_.startup = phases;
  notify(&Observer::on_startup, started_);
}

void RunReport::stage(const StageRecord& record) {
  started_.stage = record;
  notify(&Observer::on_stage, started_);
}

void RunReport::tuning(std::span<const Decision> decisions) {
  if (decisions.size() == started_.tuning.size()) return;
  started_.tuning.assign(decisions.begin(), decisions.end());
  notify(&Observer::on_tuning, started_);
}

void RunReport::add_step(double seconds, double input_seconds, std::int64_t samples) {
  seconds_.total += seconds;
  seconds_.input += input_seconds;
  ++timed_steps_;
  timed_samples_ += samples;
}

void RunReport::add_phases(const PhaseSeconds& seconds) {
  seconds_.phases.forward += seconds.forward;
  seconds_.phases.backward += seconds.backward;
  seconds_.phases.exposed += seconds.exposed;
  seconds_.phases.update += seconds.update;
}

StepRecord RunReport::record_of(const TrainingState& state, double rate, double window_seconds) const {
  const double samples = static_cast<double>(std::max<std::int64_t>(state.window.samples, 1));
  const double done = static_cast<double>(std::max<std::int64_t>(state.step - first_step_, 1));
  StepRecord record;
  record.step = state.step;
  record.epoch = run_.length.epoch_of(state.step);
  record.samples = state.window.samples;
  record.loss = state.window.loss / samples;
  record.top1 = static_cast<double>(state.window.top1) / samples;
  record.rate = rate;
  record.images_per_second = window_seconds > 0 ? static_cast<double>(timed_samples_) / window_seconds : 0;
  record.attempt = attempt_;
  record.loss_scale = state.window.loss_scale;
  record.seconds_left =
      since_start_.seconds() / done * static_cast<double>(run_.length.last_step - state.step);
  return record;
}

void RunReport::step(const TrainingState& state, double rate) {
  const GatheredTimes times = gather_times(communicator_, seconds_.total, seconds_.input, seconds_.phases);
  const double steps = static_cast<double>(std::max<std::int64_t>(timed_steps_, 1));
  StepRecord record = record_of(state, rate, times.total);
  record.input_seconds = times.input / steps;
  record.forward_seconds = times.phases.forward / steps;
  record.backward_seconds = times.phases.backward / steps;
  record.exposed_seconds = times.phases.exposed / steps;
  record.update_seconds = times.phases.update / steps;
  if (communicator_.size() > 1) record.ranks = spread_of(times.ranks, pipelined_, steps, started_.hosts);
  notify(&Observer::on_step, record);
  if (communicator_.rank() == 0 && advisor_)
    advise(state.step,
           advisor_->judge({.steps = timed_steps_, .seconds = times.total, .ranks = times.ranks}));
  seconds_ = {};
  timed_steps_ = timed_samples_ = 0;
  since_progress_.restart();
}

void RunReport::advise(std::int64_t step, std::span<const Advice> advice) {
  for (const Advice& each : advice) {
    if (each.change == Advice::Change::clears)
      log_.info("{}", each.text);
    else
      log_.warn("{}", each.text);
    event(step, each.what, each.text);
  }
}

void RunReport::progress(const TrainingState& state, double rate) {
  constexpr double pause = 0.2;  // seconds: what an eye follows
  if (state.window.samples == 0 || since_progress_.seconds() < pause) return;
  since_progress_.restart();
  notify(&Observer::on_progress, record_of(state, rate, seconds_.total));
}

void RunReport::moment(Moment moment, std::int64_t step) {
  notify(&Observer::on_moment, MomentRecord{moment, step});
}

void RunReport::validation(std::int64_t step, const EvaluationResult& result) {
  notify(&Observer::on_validation, ValidationRecord{.step = step,
                                                    .epoch = run_.length.epoch_of(step),
                                                    .samples = result.samples,
                                                    .loss = result.loss,
                                                    .top1 = result.top1,
                                                    .top5 = result.top5});
}

void RunReport::weights(std::int64_t step, const TrainingReplica& replica,
                        std::optional<double> gradient_scale) {
  if (communicator_.rank() != 0) return;
  const ParameterTable& table = replica.table();
  std::vector<float> parameters(table.size()), gradients;
  replica.read_parameters(parameters);
  if (gradient_scale) {
    gradients.resize(table.size());
    replica.read_gradients(gradients);
    for (float& gradient : gradients) gradient /= static_cast<float>(*gradient_scale);
  }
  notify(&Observer::on_weights,
         WeightRecord{.step = step, .table = table, .parameters = parameters, .gradients = gradients});
}

void RunReport::timeline(const TimelineRecord& record) {
  notify(&Observer::on_timeline, record);
}

void RunReport::predictions(const PredictionsRecord& record) {
  notify(&Observer::on_predictions, record);
}

void RunReport::checkpoint(const CheckpointRecord& record) {
  notify(&Observer::on_checkpoint, record);
}

void RunReport::event(std::int64_t step, std::string what, std::string text) {
  notify(&Observer::on_event, EventRecord{.step = step, .what = std::move(what), .text = std::move(text)});
}

}  // namespace convoy
