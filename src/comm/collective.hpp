// The data plane: sums slices of the flat gradient buffer over all ranks, in place, during backward. On the
// CPU it uses MPI (a communication thread if a core is spare, otherwise messages in pieces that the compute
// thread progresses; slice_sum.hpp); on GPUs it uses NCCL on its own stream, or MPI through host memory. Used
// by train/'s GradientReducer.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/timeline.hpp"
#include "base/words.hpp"
#include "comm/communicator.hpp"
#include "device/device_stream.hpp"

namespace convoy {

// Used by one thread, except for failure and abort. On a GPU it must outlive graphs that recorded its calls:
// destroy the replica with its graphs first (NCCL's communicator waits for graphs that use it, and otherwise
// ends only by abort).
class Collective {
 public:
  virtual ~Collective() = default;
  virtual std::string_view name() const = 0;  // "mpi", "nccl", "none" (one rank)

  // Connects to the other ranks, before the first start (which does it otherwise). May wait for a rank that
  // never arrives: until CollectiveOptions::connect_seconds have passed or another thread calls abort(), so a
  // watchdog should know the collective first. Throws ExitCode::device.
  virtual void connect() {}

  // Starts to sum `slice` over all ranks, in place; every rank calls it with the same sequence of sizes. The
  // slice must not be accessed until finish_next has reported it. On a GPU the sum starts when the compute
  // stream reaches this point.
  virtual void start(std::span<float> slice) = 0;

  // Progresses transfers in flight; cheap, never blocks.
  virtual void progress() = 0;

  // Waits for the oldest started slice that was not yet waited for: on the CPU the caller waits, with NCCL
  // the compute stream. Throws ExitCode::device on failure.
  virtual void finish_next() = 0;

  // Where capturable: an event that passes when the slice started last, and with it every earlier one, is
  // summed; valid until begin() or the last finish_next of the step. Null: nothing needs to be waited for.
  virtual DeviceEvent last_sum() const { return {}; }

  // Whether start and finish_next only enqueue, so that a step may be recorded as a graph.
  virtual bool capturable() const { return false; }

  // Discards slices that were started but not finished in a step whose recording was abandoned.
  virtual void begin() {}

  // An error that the transport detected by itself (a lost peer): its description, otherwise empty. Callable
  // from any thread; the watchdog polls it.
  virtual std::string failure() { return {}; }

  // Aborts operations in flight, so that streams that wait for a lost peer complete. Callable from any
  // thread.
  virtual void abort() {}
};

enum class CollectiveKind { automatic, nccl, mpi };

inline Words<CollectiveKind> collective_words() {
  return {{"auto", CollectiveKind::automatic}, {"nccl", CollectiveKind::nccl}, {"mpi", CollectiveKind::mpi}};
}

// The format in which gradients are sent. With a format narrower than fp32, each rank's values are rounded to
// nearest once, and NCCL rounds each partial sum again: over P ranks the error of an element is at most P u
// Σ|x_r|, with u = 2^-8 for bf16 and 2^-11 for fp16 (plus half of fp16's smallest step, P 2^-25, for values
// below 6e-5). fp16 overflows above 65504: the sum is then infinite, which the step detects as a non-finite
// gradient. Both limits are divided by CollectiveOptions::wire_scale. Buffers stay float32.
enum class WirePrecision { fp32, bf16, fp16 };

inline Words<WirePrecision> wire_words() {
  return {{"fp32", WirePrecision::fp32}, {"bf16", WirePrecision::bf16}, {"fp16", WirePrecision::fp16}};
}

struct CollectiveOptions {
  CollectiveKind kind = CollectiveKind::automatic;  // automatic: nccl for device memory, mpi for host memory
  WirePrecision wire = WirePrecision::fp32;
  float wire_scale = 1;        // a power of two that multiplies gradients while they are sent in 16 bits
  bool spare_core = false;     // CPU: whether a communication thread gets a core of its own
  bool deterministic = false;  // GPU: one algorithm, so that sums are the same in every run
  DeviceStream compute = {};   // of the replica; null: the gradient is host memory
  int device_index = 0;
  std::span<float> gradient = {};  // the whole flat buffer
  std::size_t largest_slice = 0;
  Timeline* timeline = nullptr;  // MPI: where each sum is recorded, in row "all-reduce"; null: nowhere
  SumMarks mark_sums = {};       // NCCL: called for each sum where it is started; empty: not called
  double connect_seconds = 300;  // GPU: how long connect() waits for the other ranks; 0: forever
};

// The transport for these gradients; collective. With one rank nothing is sent. Throws ExitCode::usage for
// inconsistent options (nccl without a GPU, 16 bits by MPI), ExitCode::device if NCCL fails.
std::unique_ptr<Collective> make_collective(Communicator& communicator, const CollectiveOptions& options);

}  // namespace convoy
