#include "settings/check.hpp"

#include <filesystem>

#include "base/error.hpp"
#include "model/networks.hpp"
#include "settings/train_option.hpp"
#include "settings/values.hpp"

namespace convoy {
namespace {

// Every value must read back as the command line would take it, also where it does not apply.
void check_ranges(const TrainConfiguration& configuration) {
  for (const TrainOption& option : train_options()) {
    for (const auto& [key, value] : option.values(configuration)) {
      if (value.empty()) continue;
      try {
        TrainConfiguration scratch;
        option.read(scratch, key, value);
      } catch (const Error& error) {
        fail(error.category(), "--{} {}: {}", option.full_name(key), value, error.what());
      }
    }
  }
}

void check_lengths(const TrainConfiguration& c) {
  if (c.steps < 0 && !(c.epochs > 0)) fail(ExitCode::usage, "--epochs {}: must be greater than 0", c.epochs);
  if (c.accumulate > c.global_batch)
    fail(ExitCode::usage,
         "--accumulate {} cuts a global batch of {} into more parts than it has samples; at most {} is "
         "accepted",
         c.accumulate, c.global_batch, c.global_batch);
  if (c.scale_rate_linearly && c.recipe_batch < 1)
    fail(ExitCode::usage,
         "--scale-lr linear needs the recipe's own global batch: start from a configuration file that sets "
         "global-batch, or give --recipe-batch");
  if (c.schedule.kind == ScheduleKind::plateau && c.evaluate_every.count == 0)
    fail(ExitCode::usage,
         "--schedule plateau watches the validation error, but --evaluate-every 0 evaluates only at the end; "
         "use --evaluate-every 1epoch");
  if (c.augmentation.crop && c.augmentation.resized_crop)
    fail(ExitCode::usage, "--augment crop and resized-crop exclude each other; name one of them");
}

void check_records(const TrainConfiguration& c) {
  if (c.histogram_every.count > 0 && !c.tensorboard)
    fail(ExitCode::usage,
         "--tensorboard-histograms {} adds histograms to TensorBoard's files, which are not written: add "
         "--tensorboard",
         interval_text(c.histogram_every));
  const StepRange standard = TrainConfiguration().trace_steps;
  const bool other_steps = c.trace_steps.first != standard.first || c.trace_steps.last != standard.last;
  if (other_steps && c.trace.empty())
    fail(ExitCode::usage,
         "--trace-steps {} selects the steps of a trace, which is not written: add --trace FILE",
         step_range_text(c.trace_steps));
}

}  // namespace

void check_values(const TrainConfiguration& configuration) {
  const TrainConfiguration& c = configuration;
  check_ranges(c);
  check_lengths(c);
  check_records(c);
  check_rate_rules(c.schedule.rules,
                   ParameterTable(make_network(c.model, {.classes = c.classes, .dropout = c.dropout})));
}

void check_configuration(const TrainConfiguration& configuration) {
  const TrainConfiguration& c = configuration;
  if (c.data.empty())
    fail(ExitCode::usage,
         "--data is missing: the folder of a store made by `convoy pack` or `convoy synthesize`");
  if (c.output.empty())
    fail(ExitCode::usage,
         "--output is missing: the folder that the run writes its checkpoints and figures into");
  std::error_code unknown;  // a folder that is missing is refused later, with the node's name
  if (!c.stage.empty() && std::filesystem::equivalent(c.stage, c.data, unknown))
    fail(ExitCode::usage, "--stage {} is the store itself: name a folder on each node's own disk", c.stage);
  check_values(c);
  check_device_options(c, resolve_device(c.device), 1);
  if (const std::string refusal = precision_refusal(c.device, c.precision); !refusal.empty())
    fail(ExitCode::usage, "{}", refusal);
}

void check_device_options(const TrainConfiguration& configuration, DeviceKind device, int ranks) {
  const TrainConfiguration& c = configuration;
  if (c.tune == TuneMode::again && c.deterministic.value_or(device == DeviceKind::cpu))
    fail(ExitCode::usage,
         "--tune again measures algorithms, but --deterministic {} selects them by a fixed rule: add "
         "--deterministic off, or use --tune auto",
         c.deterministic ? "on" : "auto on the CPU");
  const char* where = c.device == DeviceKind::cpu ? "with --device cpu" : "on a machine without a usable GPU";
  if (device == DeviceKind::cpu) {
    if (c.collective == CollectiveKind::nccl)
      fail(ExitCode::usage, "--collective nccl requires GPUs and cannot be used {}: use auto or mpi", where);
    if (c.wire != WirePrecision::fp32)
      fail(ExitCode::usage, "--wire-precision {} requires GPUs and NCCL and cannot be used {}: use fp32",
           word_of(wire_words(), c.wire), where);
    if (c.cuda_graph == GraphUse::on)
      fail(ExitCode::usage, "--cuda-graph on requires a GPU and cannot be used {}: use auto or off", where);
  }
  if (c.collective != CollectiveKind::mpi) return;
  if (c.wire != WirePrecision::fp32)
    fail(ExitCode::usage,
         "--wire-precision {} requires NCCL: use fp32 with --collective mpi, or use --collective nccl",
         word_of(wire_words(), c.wire));
  if (c.cuda_graph == GraphUse::on && ranks > 1)
    fail(
        ExitCode::usage,
        "--cuda-graph on cannot be used with --collective mpi on several ranks, which wait for the device in "
        "each step: use --cuda-graph auto or off, or --collective nccl");
}

}  // namespace convoy
