#include "train/run_report.hpp"

#include <algorithm>
#include <vector>

namespace convoy {
namespace {

// Of each rank's own work. The median of an even number is the mean of the two in the middle.
RankSpread spread_of(std::span<const double> own, std::span<const std::string> hosts) {
  const auto slowest = static_cast<std::size_t>(std::ranges::max_element(own) - own.begin());
  std::vector<double> sorted(own.begin(), own.end());
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  const double median = sorted.size() % 2 == 1 ? sorted[middle] : 0.5 * (sorted[middle - 1] + sorted[middle]);
  return {.least = sorted.front(),
          .median = median,
          .most = sorted.back(),
          .slowest = static_cast<int>(slowest),
          .host = slowest < hosts.size() ? hosts[slowest] : std::string()};
}

}  // namespace

RunReport::RunReport(std::span<Observer* const> observers, Communicator& communicator,
                     const RunLength& length, int attempt, std::int64_t first_step, bool pipelined)
    : observers_(observers),
      communicator_(communicator),
      length_(length),
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
  notify(&Observer::on_start, record);
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
  record.epoch = length_.epoch_of(state.step);
  record.samples = state.window.samples;
  record.loss = state.window.loss / samples;
  record.top1 = static_cast<double>(state.window.top1) / samples;
  record.rate = rate;
  record.images_per_second = window_seconds > 0 ? static_cast<double>(timed_samples_) / window_seconds : 0;
  record.attempt = attempt_;
  record.loss_scale = state.window.loss_scale;
  record.seconds_left = since_start_.seconds() / done * static_cast<double>(length_.last_step - state.step);
  return record;
}

// This rank's seconds of work since the last record, without waiting for the other ranks: it decides how fast
// the slowest rank lets all of them be.
double RunReport::own_work() const {
  const double computing = seconds_.phases.forward + seconds_.phases.backward + seconds_.phases.update;
  return pipelined_ ? std::max(seconds_.input, computing) : seconds_.input + computing;
}

void RunReport::step(const TrainingState& state, double rate) {
  const PhaseSeconds& phases = seconds_.phases;
  // One message for the slowest rank's times and each rank's own: a rank leaves 0 in the places of the
  // others.
  std::vector<double> seconds = {seconds_.total,  seconds_.input, phases.forward,
                                 phases.backward, phases.exposed, phases.update};
  const std::size_t by_rank = seconds.size();
  seconds.resize(by_rank + static_cast<std::size_t>(communicator_.size()));
  seconds[by_rank + static_cast<std::size_t>(communicator_.rank())] = own_work();
  communicator_.maximum(seconds);
  const double steps = static_cast<double>(std::max<std::int64_t>(timed_steps_, 1));
  StepRecord record = record_of(state, rate, seconds[0]);
  for (double& value : seconds) value /= steps;
  record.input_seconds = seconds[1];
  record.forward_seconds = seconds[2];
  record.backward_seconds = seconds[3];
  record.exposed_seconds = seconds[4];
  record.update_seconds = seconds[5];
  if (communicator_.size() > 1) record.ranks = spread_of(std::span(seconds).subspan(by_rank), started_.hosts);
  notify(&Observer::on_step, record);
  seconds_ = {};
  timed_steps_ = timed_samples_ = 0;
  since_progress_.restart();
}

void RunReport::progress(const TrainingState& state, double rate) {
  constexpr double pause = 0.2;  // seconds: what an eye follows
  if (state.window.samples == 0 || since_progress_.seconds() < pause) return;
  since_progress_.restart();
  notify(&Observer::on_progress, record_of(state, rate, seconds_.total));
}

void RunReport::validation(std::int64_t step, const EvaluationResult& result) {
  notify(&Observer::on_validation, ValidationRecord{.step = step,
                                                    .epoch = length_.epoch_of(step),
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
