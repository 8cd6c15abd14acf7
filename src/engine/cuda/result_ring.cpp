#include "engine/cuda/result_ring.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "device/cuda/check.hpp"

namespace convoy::cuda {

namespace {

// Asks instead of blocking, so that a core is left to others while a long step runs; sleeps are short beside
// a step and, as the host is steps ahead, cost the device nothing.
void wait_for(cudaEvent_t event) {
  constexpr int quick = 64;
  constexpr auto longest = std::chrono::microseconds(100);
  auto pause = std::chrono::microseconds(5);
  for (int turn = 0; !has_passed(event, "waiting for a step's end"); ++turn) {
    if (turn < quick) continue;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, longest);
  }
}

void record_mark(std::vector<Event>& marks, std::size_t index, cudaStream_t stream, bool capturing) {
  while (marks.size() <= index) marks.push_back(make_event(true));
  // In a graph the event is a node of its own, whose time the host can read after each launch.
  check(cudaEventRecordWithFlags(marks[index].get(), stream,
                                 capturing ? cudaEventRecordExternal : cudaEventRecordDefault),
        "marking a point of the step");
}

const char* name_of(Phase phase) {
  switch (phase) {
    case Phase::forward:
      return "forward";
    case Phase::backward:
      return "backward";
    case Phase::exposed:
      return "exposed";
    case Phase::update:
      return "update";
  }
  return "";
}

}  // namespace

ResultRing::ResultRing() : records_(places * sizeof(DeviceStepResult), "results of steps") {
  for (Place& place : ring_) place.done = make_event();
}

int ResultRing::open(float inverse_loss_scale) {
  if (!in_flight_.empty() && in_flight_.front() == next_) set_aside_.push_back(collect());
  ring_[static_cast<std::size_t>(next_)].inverse_loss_scale = inverse_loss_scale;
  open_ = true;
  return next_;
}

void ResultRing::mark_sum(std::size_t number, SumMark mark, cudaStream_t stream, bool capturing) {
  ensure(open_, "sums are marked in a step whose update was staged");
  record_mark(ring_[static_cast<std::size_t>(next_)].sum_marks, 2 * number + (mark == SumMark::done ? 1 : 0),
              stream, capturing);
}

void ResultRing::record_on(Timeline* timeline, cudaStream_t stream) {
  phases_row_ = timeline != nullptr ? &timeline->row("GPU") : nullptr;
  sums_row_ = timeline != nullptr ? &timeline->row("GPU all-reduce") : nullptr;
  if (timeline == nullptr) return;
  if (clock_ == nullptr) clock_ = make_event(true);
  check(cudaStreamSynchronize(stream), "waiting for the steps before a trace");
  check(cudaEventRecord(clock_.get(), stream), "comparing clocks");
  check(cudaEventSynchronize(clock_.get()), "comparing clocks");
  clock_seconds_ = timeline_now();
}

double ResultRing::time_of(cudaEvent_t event) const {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, clock_.get(), event), "timing a point of the step");
  return clock_seconds_ + double{milliseconds} * 1e-3;
}

// A step that has come to its end.
void ResultRing::add_to_timeline(const Place& place) const {
  if (!place.recorded || phases_row_ == nullptr) return;
  const std::vector<Phase>& phases = place.trace.phases;
  std::vector<double> times;
  for (std::size_t i = 0; !phases.empty() && i <= phases.size(); ++i)
    times.push_back(time_of(place.marks[i].get()));
  for (std::size_t i = 0; i < phases.size(); ++i)
    phases_row_->add(name_of(phases[i]), times[i], times[i + 1]);
  for (std::size_t i = 0; i < place.trace.sums.size(); ++i)
    sums_row_->add("bucket", time_of(place.sum_marks[2 * i].get()), time_of(place.sum_marks[2 * i + 1].get()),
                   {{"bucket", static_cast<std::int64_t>(i)},
                    {"bytes", static_cast<std::int64_t>(place.trace.sums[i])}});
}

void ResultRing::mark(std::size_t index, cudaStream_t stream, bool capturing) {
  ensure(open_, "phases are marked in a step whose update was staged");
  record_mark(ring_[static_cast<std::size_t>(next_)].marks, index, stream, capturing);
}

void ResultRing::close(cudaStream_t stream, StepTrace trace) {
  ensure(open_, "an update is staged before it is applied");
  Place& place = ring_[static_cast<std::size_t>(next_)];
  place.trace = std::move(trace);
  place.recorded = phases_row_ != nullptr && phases_row_->recording();
  check(cudaEventRecord(place.done.get(), stream), "marking the end of a step");
  in_flight_.push_back(next_);
  next_ = (next_ + 1) % places;
  open_ = false;
}

StepResult ResultRing::take() {
  if (!set_aside_.empty()) {
    const StepResult result = set_aside_.front();
    set_aside_.pop_front();
    return result;
  }
  ensure(!in_flight_.empty(), "there is an update whose result was not taken");
  return collect();
}

StepResult ResultRing::collect() {
  const int number = in_flight_.front();
  const Place& place = ring_[static_cast<std::size_t>(number)];
  wait_for(place.done.get());
  in_flight_.pop_front();
  const DeviceStepResult& record = records()[number];
  StepResult result;
  result.update.finite = record.finite != 0;
  result.update.weights_sound = record.weights_sound != 0;
  result.update.gradient_norm =
      std::sqrt(record.gradient_squares) * place.inverse_loss_scale / double{record.loss_scale};
  result.metrics = {.loss = record.metrics.loss,
                    .top1 = record.metrics.top1,
                    .top5 = record.metrics.top5,
                    .samples = record.metrics.samples};
  result.loss_scale = double{record.loss_scale};
  result.seconds = seconds_of(place);
  add_to_timeline(place);
  return result;
}

PhaseSeconds ResultRing::seconds_of(const Place& place) const {
  PhaseSeconds seconds;
  for (std::size_t i = 0; i < place.trace.phases.size(); ++i) {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, place.marks[i].get(), place.marks[i + 1].get()),
          "timing a phase of the step");
    const double passed = double{milliseconds} * 1e-3;
    switch (place.trace.phases[i]) {
      case Phase::forward:
        seconds.forward += passed;
        break;
      case Phase::backward:
        seconds.backward += passed;
        break;
      case Phase::exposed:
        seconds.exposed += passed;
        break;
      case Phase::update:
        seconds.update += passed;
        break;
    }
  }
  return seconds;
}

}  // namespace convoy::cuda
