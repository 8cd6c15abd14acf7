// The results of steps on their way from the device to the host: each update writes a DeviceStepResult into
// page-locked memory, an event says when, and timing events between the step's phases say how long each took.
// The host takes results in order, some steps later, so that the device never waits for it. For
// cuda_training_replica.cpp alone.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <deque>
#include <vector>

#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"
#include "engine/cuda/map.hpp"
#include "engine/training_replica.hpp"

namespace convoy::cuda {

// What a step has enqueued, as far as its result needs to know; kept beside a recorded step.
struct StepTrace {
  std::vector<Phase> phases;      // entered, in order; mark i is at the start of phase i, one more at the end
  std::vector<std::size_t> sums;  // bytes of each that was marked, in order
  bool applied = false;           // whether there was an update
  std::size_t inspect_begin = 0, inspect_end = 0;  // of the gradient: to be inspected, not enqueued yet

  // The update during backward (cuda_training_replica.cpp). Elements [0, …) of the flat buffers: whose
  // gradients are final, behind `sum`; whose parameters no pass reads any more.
  std::size_t summed_end = 0, free_end = 0;
  cudaEvent_t sum = nullptr;
  std::size_t updated_end = 0;
  int pieces_done = 0;  // of the update: enqueued
  bool forked = false;  // the update's stream has work of this step
};

class ResultRing {
 public:
  // One more than the two that may be outstanding and the one being enqueued. Even, so that places and the
  // two parities of a program give so many recorded graphs and not more.
  static constexpr int places = 4;

  ResultRing();

  // The place of the next update: the same until close(). Where it still holds a result that was not taken,
  // waits for that and sets it aside. `inverse_loss_scale`: UpdateStep's.
  int open(float inverse_loss_scale);
  bool is_open() const { return open_; }

  // Records mark `index` of the open place; `capturing`: into the graph that `stream` records.
  void mark(std::size_t index, cudaStream_t stream, bool capturing);

  // The same for the sum over ranks of this number, on the stream that has come to `mark`.
  void mark_sum(std::size_t number, SumMark mark, cudaStream_t stream, bool capturing);

  // Records the steps' phases and marked sums on `timeline` from now on; null: no longer. Waits for `stream`,
  // to compare the device's clock with the timeline's.
  void record_on(Timeline* timeline, cudaStream_t stream);
  bool records_steps() const { return phases_row_ != nullptr; }

  // The update of the open place was enqueued on `stream`.
  void close(cudaStream_t stream, StepTrace trace);

  // The oldest result that was not taken; waits for the device. ExitCode::bug when there is none.
  StepResult take();

  DeviceStepResult* records() const {
    return records_.as<DeviceStepResult>();
  }  // `places` of them, for the kernels

 private:
  struct Place {
    Event done;
    std::vector<Event> marks;      // as many as were ever needed
    std::vector<Event> sum_marks;  // two of each sum
    StepTrace trace;
    double inverse_loss_scale = 1;
    bool recorded = false;  // on the timeline, when its result is taken
  };

  StepResult collect();  // of in_flight_.front()
  PhaseSeconds seconds_of(const Place& place) const;
  void add_to_timeline(const Place& place) const;
  double time_of(cudaEvent_t event) const;  // on the timeline's clock

  PinnedMemory records_;
  std::array<Place, places> ring_;
  int next_ = 0;
  bool open_ = false;
  std::deque<int> in_flight_;
  std::deque<StepResult> set_aside_;

  TimelineRow *phases_row_ = nullptr, *sums_row_ = nullptr;
  Event clock_;               // passed at …
  double clock_seconds_ = 0;  // … this time of the timeline
};

}  // namespace convoy::cuda
