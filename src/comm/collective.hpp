// The data plane: sums slices of the flat gradient buffer over all ranks, in place, while backward still
// runs. On the CPU it is MPI (a communication thread where a core is spare, else messages in pieces that are
// progressed from the compute thread; slice_sum.hpp); on GPUs NCCL on a stream of its own, or MPI through
// host memory. Used by train/'s GradientReducer.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/words.hpp"
#include "comm/communicator.hpp"
#include "device/device_stream.hpp"

namespace convoy {

// One thread uses it, but for failure and abort. On a GPU it must outlive what it was recorded in: the
// replica with its graphs goes first (NCCL's communicator waits for graphs that hold it, and ends only by
// abort else).
class Collective {
 public:
  virtual ~Collective() = default;
  virtual std::string_view name() const = 0;  // "mpi", "nccl", "none" (one rank)

  // Meets the other ranks, before the first start (which does it otherwise). May wait for a rank that never
  // comes: until CollectiveOptions::connect_seconds have passed or another thread calls abort(), so that a
  // watchdog should be told of the collective first. Throws ExitCode::device.
  virtual void connect() {}

  // Begins to sum `slice` over all ranks, in place; every rank calls with the same sequence of sizes. The
  // slice may not be touched until it was reported by finish_next. On a GPU the sum begins when the compute
  // stream has come to this point.
  virtual void start(std::span<float> slice) = 0;

  // Lets transfers under way advance; cheap, never blocks.
  virtual void progress() = 0;

  // Waits for the oldest started slice that was not yet waited for: on the CPU the caller does, with NCCL the
  // compute stream. Throws ExitCode::device on failure.
  virtual void finish_next() = 0;

  // Whether start and finish_next only enqueue, so that a step may be recorded as a graph.
  virtual bool capturable() const { return false; }

  // Forgets slices that were started and not finished in a step whose recording was given up.
  virtual void begin() {}

  // An error that the transport met by itself (a peer that is gone): its description, else empty. Any thread;
  // the watchdog asks.
  virtual std::string failure() { return {}; }

  // Gives up what is under way, so that streams which wait for a lost peer come to their end. Any thread.
  virtual void abort() {}
};

enum class CollectiveKind { automatic, nccl, mpi };

inline Words<CollectiveKind> collective_words() {
  return {{"auto", CollectiveKind::automatic}, {"nccl", CollectiveKind::nccl}, {"mpi", CollectiveKind::mpi}};
}

// What gradients travel as. Narrower than fp32, each rank's values are rounded to nearest once, and NCCL
// rounds each partial sum again: over P ranks the error of an element is at most P u Σ|x_r|, with u = 2^-8
// for bf16 and 2^-11 for fp16 (plus half of fp16's smallest step, P 2^-25, for values below 6e-5). fp16
// overflows above 65504: the sum is infinite then, which the step sees as a gradient that is not finite. Both
// limits are divided by CollectiveOptions::wire_scale. Buffers stay float32.
enum class WirePrecision { fp32, bf16, fp16 };

inline Words<WirePrecision> wire_words() {
  return {{"fp32", WirePrecision::fp32}, {"bf16", WirePrecision::bf16}, {"fp16", WirePrecision::fp16}};
}

struct CollectiveOptions {
  CollectiveKind kind = CollectiveKind::automatic;  // automatic: nccl for device memory, mpi for host memory
  WirePrecision wire = WirePrecision::fp32;
  float wire_scale = 1;     // a power of two by which gradients are multiplied while they travel in 16 bits
  bool spare_core = false;  // CPU: whether a communication thread gets a core of its own
  bool deterministic = false;  // GPU: one algorithm, so that sums are the same in every run
  DeviceStream compute = {};   // of the replica; null: the gradient is host memory
  int device_index = 0;
  std::span<float> gradient = {};  // the whole flat buffer
  std::size_t largest_slice = 0;
  double connect_seconds = 300;  // GPU: how long connect() waits for the other ranks; 0: without end
};

// The transport for these gradients; collective. With one rank nothing is sent. Throws ExitCode::usage for
// what does not go together (nccl without a GPU, a narrow wire by MPI), ExitCode::device when NCCL fails.
std::unique_ptr<Collective> make_collective(Communicator& communicator, const CollectiveOptions& options);

// Sums host memory over `communicator` by MPI; with one rank nothing is sent. `spare_core`: whether a
// communication thread gets a core of its own (needs MPI_THREAD_MULTIPLE).
std::unique_ptr<Collective> make_mpi_collective(Communicator& communicator, bool spare_core);

}  // namespace convoy
