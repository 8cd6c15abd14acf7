#include "train/run_report.hpp"

#include <algorithm>
#include <array>

namespace convoy {

RunReport::RunReport(std::span<Observer* const> observers, Communicator& communicator,
                     const RunLength& length, int attempt, std::int64_t first_step)
    : observers_(observers),
      communicator_(communicator),
      length_(length),
      attempt_(attempt),
      first_step_(first_step) {}

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
  record.seconds_left = since_start_.seconds() / done * static_cast<double>(length_.last_step - state.step);
  return record;
}

void RunReport::step(const TrainingState& state, double rate) {
  const PhaseSeconds& phases = seconds_.phases;
  std::array<double, 6> seconds = {seconds_.total,  seconds_.input, phases.forward,
                                   phases.backward, phases.exposed, phases.update};
  communicator_.maximum(seconds);
  const double steps = static_cast<double>(std::max<std::int64_t>(timed_steps_, 1));
  StepRecord record = record_of(state, rate, seconds[0]);
  record.input_seconds = seconds[1] / steps;
  record.forward_seconds = seconds[2] / steps;
  record.backward_seconds = seconds[3] / steps;
  record.exposed_seconds = seconds[4] / steps;
  record.update_seconds = seconds[5] / steps;
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

void RunReport::checkpoint(const CheckpointRecord& record) {
  notify(&Observer::on_checkpoint, record);
}

void RunReport::event(std::int64_t step, std::string what, std::string text) {
  notify(&Observer::on_event, EventRecord{.step = step, .what = std::move(what), .text = std::move(text)});
}

}  // namespace convoy
