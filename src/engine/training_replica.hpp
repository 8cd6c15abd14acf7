// The seam between training and an engine: a replica that also owns the gradients and the optimiser's slots
// of its network, runs training steps and updates the parameters. engine/engine.hpp makes it; train/ drives
// it.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "base/timeline.hpp"
#include "device/device_stream.hpp"
#include "engine/replica.hpp"
#include "engine/update.hpp"

namespace convoy {

// What a step is made of, for its times (and for profilers, as named ranges).
enum class Phase { forward, backward, exposed, update };

struct PhaseSeconds {
  double forward = 0, backward = 0, exposed = 0, update = 0;
};

// What is known of a step once the device has come to its end.
struct StepResult {
  UpdateResult update;
  BatchMetrics metrics;   // of all training passes since the update before, of this rank
  double loss_scale = 1;  // that the step was computed with
  PhaseSeconds seconds;   // measured where the work was done: on the CPU's clock or the device's
};

class TrainingReplica : public Replica {
 public:
  // Whole flat buffers in canonical order, host side; wait for the device. Slot 0, 1, … of the optimiser
  // (slot_names, engine/optimizer_table.hpp); one that it lacks is ExitCode::bug.
  virtual void write_gradients(std::span<const float> values) = 0;
  virtual void read_gradients(std::span<float> values) const = 0;
  virtual void write_slot(int slot, std::span<const float> values) = 0;
  virtual void read_slot(int slot, std::span<float> values) const = 0;

  // The live gradient buffer, in the memory that the matching Collective reduces: host memory on the CPU,
  // device memory (not to be touched by the host) on a GPU. Its order there may be the engine's own, the same
  // on every rank.
  virtual std::span<float> gradient_memory() = 0;

  // The stream on which passes and updates run, for the Collective; null on the CPU.
  virtual DeviceStream compute_stream() const { return {}; }

  // Runs one step: `enqueue` calls forward_staged, backward, the reducer, gradients_summed and apply_update,
  // always the same calls in the same order. Where `capturable` (everything in it only enqueues), a GPU may
  // record them once as a graph and from then on replay it without calling `enqueue`. Where recording is
  // not possible `enqueue` is called again, and must then start from the beginning.
  virtual void run_step(Program& /*program*/, bool /*capturable*/, const std::function<void()>& enqueue) {
    enqueue();
  }

  // From here on, the step is in `phase`; called inside `enqueue`.
  virtual void enter(Phase phase) = 0;

  // Elements [begin, end) of the gradient are reduced and final. Ranges follow each other from 0; each is
  // reported once before the update. Inside run_step, once the update is staged, the replica may update these
  // parameters from here on, as soon as no pass reads them any more; the weights that come of it do not
  // depend on when.
  //
  // `sum`: the range is final when this event has passed (Collective::last_sum); only where updates_early().
  virtual void gradients_summed(std::size_t begin, std::size_t end, DeviceEvent sum = {}) = 0;

  // Whether it is of use to report ranges while backward is still running.
  virtual bool updates_early() const { return false; }

  // The rates and number of the next update; before run_step. `step.rates` is copied.
  virtual void stage_update(const UpdateStep& step) = 0;

  // Completes the update: one pass by the optimiser's rule over the parameters that were not updated yet,
  // which takes the gradient's norm too. With a loss scale of fp16 a gradient that is not finite changes
  // nothing but the scale; in the other precisions such a gradient has made its weights unusable.
  virtual void apply_update() = 0;

  // The result of the oldest apply_update whose result was not taken yet; waits for the device to get there.
  virtual StepResult take_result() = 0;

  // How many results may be outstanding when a step has been enqueued: 0 on the CPU, 2 on a GPU.
  virtual int steps_ahead() const { return 0; }

  // Waits until everything enqueued has run. Throws what the device met.
  virtual void synchronise() {}

  virtual LossScale loss_scale() const { return {}; }  // waits for the device
  virtual void set_loss_scale(const LossScale& /*scale*/) {}

  // Records what steps do on `timeline` from now on; null: no longer. On the CPU each operation, in the row
  // "steps" of the thread that runs the step; on a GPU phases and sums as the device's own clock timed them,
  // in rows of their own: each call waits for the device and compares the clocks. Every rank calls it before
  // the same step.
  virtual void record_on(Timeline* /*timeline*/) {}

  // SumMarks, inside run_step; on a GPU, with record_on.
  virtual void mark_sum(std::size_t /*number*/, std::size_t /*bytes*/, SumMark /*mark*/,
                        DeviceStream /*stream*/) {}

  // An update at once, for tests and benchmarks.
  UpdateResult update(const UpdateStep& step) {
    stage_update(step);
    apply_update();
    return take_result().update;
  }
};

}  // namespace convoy
