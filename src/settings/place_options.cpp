// The options of `convoy train` that decide no result: where a run reads and writes, how often it reports,
// and what it is computed with. Declared as those of train_options.cpp.
#include "settings/option_list.hpp"

namespace convoy {
namespace {

constexpr double longest_seconds = 1e9;  // thirty years

}  // namespace

void add_place_options(OptionList& list) {
  list.in(group_what, Concern::place);
  list.add(
      "data", [](auto& c) -> auto& { return c.data; }, plain_text("STORE"),
      "the store to train on, made by convoy pack or convoy synthesize");
  list.add(
          "stage", [](auto& c) -> auto& { return c.stage; }, some_text("FOLDER"),
          "copy the shards to this folder on each node's own disk during the first epoch and read them "
          "there; the "
          "next run finds them")
      .when([](const TrainConfiguration& c) { return !c.stage.empty(); });
  list.add(
      "output", [](auto& c) -> auto& { return c.output; }, plain_text("FOLDER"),
      "where the run writes: run.json, metrics.jsonl, checkpoints/");
  list.add(
          "weights", [](auto& c) -> auto& { return c.weights; }, some_text("CHECKPOINT|FILE"),
          "start from the parameters alone (fine-tuning) of a checkpoint, a state dict of PyTorch (.pth), "
          "safetensors or a .caffemodel; layers whose shape differs get initial weights")
      .when([](const TrainConfiguration& c) { return !c.weights.empty(); });
  list.add(
      "resume", [](auto& c) -> auto& { return c.resume; }, some_text("auto|none|PATH"),
      "auto: resume from the newest valid checkpoint in --output, if there is one; PATH: from this one; "
      "none: start a new run");
  list.in(group_length, Concern::place);
  list.add(
      "evaluate-every", [](auto& c) -> auto& { return c.evaluate_every; }, interval(),
      "500steps, 1epoch, or 0: only at the end; never: not even there");
  list.add(
      "checkpoint-every", [](auto& c) -> auto& { return c.checkpoint_every; }, interval(),
      "500steps, 1epoch, or 0: only at the end; also after the best validation so far; never: only when the "
      "run is asked to stop");
  list.add(
      "keep", [](auto& c) -> auto& { return c.keep; }, whole_number<int>(0, any_int),
      "newest checkpoints to keep beside the best one; 0: all");
  list.add(
      "log-every", [](auto& c) -> auto& { return c.log_every; }, whole_number<std::int64_t>(1, any_count),
      "steps between lines of metrics.jsonl and of the progress display");
  list.in(group_records, Concern::place);
  list.add(
      "tensorboard", [](auto& c) -> auto& { return c.tensorboard; }, on_or_off(),
      "write files for TensorBoard into --output: the figures of metrics.jsonl, conv1's filters at each "
      "validation");
  list.add(
          "tensorboard-histograms", [](auto& c) -> auto& { return c.histogram_every; }, interval(),
          "500steps or 1epoch: add histograms of weights and gradients to them; 0 or never: none")
      .when("tensorboard", [](const TrainConfiguration& c) { return c.tensorboard; });
  list.add(
      "mllog", [](auto& c) -> auto& { return c.mlperf_log; }, on_or_off(),
      "append the run's phases and settings to mllog.txt in --output, in MLPerf's form");
  list.add(
          "trace", [](auto& c) -> auto& { return c.trace; }, some_text("FILE"),
          "write what every rank and thread does in some steps to this JSON file, for ui.perfetto.dev or "
          "chrome://tracing")
      .when([](const TrainConfiguration& c) { return !c.trace.empty(); });
  list.add(
          "trace-steps", [](auto& c) -> auto& { return c.trace_steps; }, step_range(),
          "the steps in it, counted from this start of the run")
      .when("trace", [](const TrainConfiguration& c) { return !c.trace.empty(); });
}

void add_machine_options(OptionList& list) {
  list.in(group_input, Concern::machine);
  list.add(
      "workers", [](auto& c) -> auto& { return c.workers; }, whole_number<int>(1, 1024),
      "threads of each rank that read and check images ahead of time");
  list.in(group_machine, Concern::machine);
  list.add(
      "device", [](auto& c) -> auto& { return c.device; }, one_of(device_words()), "where to compute");
  list.add(
      "threads", [](auto& c) -> auto& { return c.threads; }, whole_number<int>(0, 4096),
      "CPU threads of each rank; 0: its share of the cores, within a container's CPU limit");
  list.add(
      "collective", [](auto& c) -> auto& { return c.collective; }, one_of(collective_words()),
      "how ranks sum gradients; auto: nccl between GPUs, mpi between CPUs");
  list.add(
      "tune", [](auto& c) -> auto& { return c.tune; }, one_of(tune_words()),
      "measure which algorithms are fastest here, and keep the answers in ~/.cache/convoy; off: the first "
      "that works; again: measure anew; --deterministic on selects by a fixed rule instead");
  list.add(
      "cuda-graph", [](auto& c) -> auto& { return c.cuda_graph; }, one_of(graph_words()),
      "record a step once and replay it, to reduce kernel-launch overhead");
  list.add(
      "watchdog-seconds", [](auto& c) -> auto& { return c.watchdog_seconds; },
      real_number<double>("S", {.least = 0, .most = longest_seconds}),
      "end all ranks, naming the missing one, when no rank makes progress for this long; 0: off");
  list.add(
      "deadline", [](auto& c) -> auto& { return c.deadline; }, deadline(),
      "save a checkpoint and exit with code 75 shortly before this time: 2h30m after the start, "
      "2026-12-01T08:00, or auto: when the Slurm job ends, of which Slurm is asked now and then");
}

}  // namespace convoy
