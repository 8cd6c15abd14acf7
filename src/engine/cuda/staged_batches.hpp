// Batches on their way to a GPU: copied on a stream of their own while earlier steps compute, into device
// memory that alternates between two steps, so that a recorded graph (one a parity) always reads the same
// places. Used by cuda_program.cpp.
#pragma once

#include <array>
#include <vector>

#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"
#include "engine/batch_checks.hpp"
#include "engine/cuda/cuda_builder.hpp"
#include "engine/cuda/operation.hpp"

namespace convoy::cuda {

class StagedBatches {
 public:
  // Places for `micro_batches` batches of each of two steps, in the builder's memory. Throws ExitCode::usage
  // where crops are not the network's input.
  StagedBatches(Builder& builder, const ProgramResources& resources, int micro_batches);

  // Enqueues the copies of the batch of pass `micro`; 0 begins the next step. The copies wait for the step
  // that last read the same places. Pixels in page-locked memory are read when the copy runs, labels and
  // transforms are taken at once. Throws what BatchChecks does.
  void stage(int micro, const BatchView& batch, const PassContext& context);

  int parity() const { return static_cast<int>(step_ % 2); }  // of the step staged last
  BatchPlace place(int micro) const;                          // of that step
  std::size_t device_bytes() const { return places_.size() * (batch_ * image_bytes_ + small_bytes_); }
  int rows(int micro) const { return places_[index(micro)].rows; }

  // What is enqueued from here on follows the copies of the step staged last.
  void wait_until_copied(cudaStream_t compute) const;
  // What was enqueued up to here is the last that reads the places of `parity`.
  void finished_reading(cudaStream_t compute, int parity) const;

 private:
  // Steps whose small arrays are kept in page-locked memory: the host is at most two steps ahead, so the copy
  // from the place that comes round again has run, and nothing waits.
  static constexpr std::size_t pinned_steps = 4;

  struct Place {  // in device memory
    Tensor *images = nullptr, *small = nullptr;
    int rows = 0;
  };
  std::size_t index(int micro) const {
    return static_cast<std::size_t>(parity()) * micro_batches_ + static_cast<std::size_t>(micro);
  }
  std::size_t ring_place() const { return static_cast<std::size_t>(step_) % pinned_steps; }
  void begin_step();

  const ProgramResources& resources_;
  std::size_t micro_batches_, batch_, image_bytes_;
  BatchChecks checks_;
  std::size_t transforms_offset_, labels_offset_, small_bytes_;  // of a place's small arrays
  std::vector<Place> places_;                                    // [parity][micro]
  PinnedMemory pinned_;                                          // [step of the ring][micro], small arrays
  std::array<Event, pinned_steps> copied_;
  std::array<Event, 2> read_;
  std::int64_t step_ = -1;
};

}  // namespace convoy::cuda
