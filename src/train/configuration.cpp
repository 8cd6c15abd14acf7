#include "train/configuration.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "data/augmentation.hpp"
#include "model/networks.hpp"
#include "train/option_words.hpp"

namespace convoy {
namespace {

void check_positive(double value, const char* option) {
  if (!(value > 0) || !std::isfinite(value))
    fail(ExitCode::usage, "--{} {}: must be greater than 0", option, value);
}

void check_not_negative(double value, const char* option) {
  if (!(value >= 0) || !std::isfinite(value))
    fail(ExitCode::usage, "--{} {}: must be 0 or more", option, value);
}

void check_below_one(double value, const char* option) {
  if (!(value >= 0 && value < 1))
    fail(ExitCode::usage, "--{} {}: must be at least 0 and below 1", option, value);
}

void check_dates(const DatedRate& rate, const std::string& option) {
  double last = 0;
  if (!(rate.first >= 0) || !std::isfinite(rate.first))
    fail(ExitCode::usage, "--{} {}: a rate must be 0 or more", option, rate.first);
  for (const auto& [epoch, value] : rate.later) {
    if (!(value >= 0) || !std::isfinite(value))
      fail(ExitCode::usage, "--{} {}:{}: a rate must be 0 or more", option, epoch, value);
    if (!(epoch > last))
      fail(ExitCode::usage, "--{} {}: the epochs of a dated rate must ascend from above 0, and {} does not",
           option, rate_text(rate), epoch);
    last = epoch;
  }
}

void check_lengths(const TrainConfiguration& c) {
  if (c.steps < -1) fail(ExitCode::usage, "--steps {}: must be 0 or more", c.steps);
  if (c.steps < 0) check_positive(c.epochs, "epochs");
  if (c.evaluate_every.count < 0 || c.checkpoint_every.count < 0)
    fail(ExitCode::usage,
         "--{} {}: must be 0 (only at the end) or a count with its unit, such as 500steps or 1epoch",
         c.evaluate_every.count < 0 ? "evaluate-every" : "checkpoint-every",
         c.evaluate_every.count < 0 ? c.evaluate_every.count : c.checkpoint_every.count);
  if (c.keep < 0) fail(ExitCode::usage, "--keep {}: must be 0 (keep all) or more", c.keep);
  if (c.log_every < 1) fail(ExitCode::usage, "--log-every {}: must be 1 or more steps", c.log_every);
  if (c.global_batch < 1) fail(ExitCode::usage, "--global-batch {}: must be 1 or more", c.global_batch);
  if (c.accumulate < 1) fail(ExitCode::usage, "--accumulate {}: must be 1 or more", c.accumulate);
  if (c.accumulate > c.global_batch)
    fail(ExitCode::usage,
         "--accumulate {} cuts a global batch of {} into more parts than it has samples; at most {} is "
         "accepted",
         c.accumulate, c.global_batch, c.global_batch);
  if (c.scale_rate_linearly && c.recipe_batch < 1)
    fail(ExitCode::usage,
         "--scale-lr linear needs the recipe's own global batch: start from a configuration file that sets "
         "global-batch");
}

void check_schedule(const TrainConfiguration& c) {
  const ScheduleSettings& s = c.schedule;
  check_dates(s.rate, "lr");
  for (const auto& [key, rule] : s.rules) {
    if (rule.own) check_dates(*rule.own, "lr." + key);
    if (rule.factor) check_not_negative(*rule.factor, ("lr." + key).c_str());
  }
  check_not_negative(s.warmup_epochs, "warmup-epochs");
  if (!(s.warmup_start >= 0 && s.warmup_start <= 1))
    fail(ExitCode::usage, "--warmup-start {}: must be a part of the rate, from 0 to 1", s.warmup_start);
  if (s.kind == ScheduleKind::step) {
    check_positive(s.step_epochs, "step-epochs");
    check_positive(s.step_factor, "step-factor");
  }
  if (s.kind == ScheduleKind::plateau) {
    if (s.patience < 1) fail(ExitCode::usage, "--patience {}: must be 1 or more epochs", s.patience);
    if (s.drops < 0) fail(ExitCode::usage, "--drops {}: must be 0 or more", s.drops);
    check_positive(s.plateau_factor, "plateau-factor");
    if (c.evaluate_every.count == 0)
      fail(ExitCode::usage,
           "--schedule plateau watches the validation error, but --evaluate-every 0 evaluates only at the "
           "end; "
           "1epoch is what the schedule is made for");
  }
  check_not_negative(s.power, "power");
  check_not_negative(s.end_rate, "end-lr");
}

void check_input(const TrainConfiguration& c) {
  const AugmentationSettings& a = c.augmentation;
  if (a.crop && a.resized_crop)
    fail(ExitCode::usage, "--augment crop and resized-crop exclude each other; name one of them");
  check_not_negative(a.colour_sigma, "colour-sigma");
  check_not_negative(a.rotate_degrees, "rotate-degrees");
  check_not_negative(a.shift_fraction, "shift-fraction");
  if (c.input_mean != "pixel" && c.input_mean != "image" && c.input_mean != "none")
    fail(ExitCode::usage, "--input-mean {}: must be pixel, image or none", c.input_mean);
  if (c.dropout) check_below_one(*c.dropout, "dropout");
  if (c.classes < 0) fail(ExitCode::usage, "--classes {}: must be 1 or more", c.classes);
  if (c.workers < 1) fail(ExitCode::usage, "--workers {}: must be 1 or more", c.workers);
}

void check_optimizer(const TrainConfiguration& c) {
  if (c.optimizer.rule == OptimizerRule::adam) {
    check_below_one(c.optimizer.beta1, "adam-betas");
    check_below_one(c.optimizer.beta2, "adam-betas");
    check_positive(c.optimizer.epsilon, "adam-epsilon");
  } else {
    check_below_one(c.optimizer.momentum, "momentum");
  }
  check_not_negative(c.weight_decay, "weight-decay");
  if (c.bias_decay) check_not_negative(*c.bias_decay, "bias-decay");
}

}  // namespace

void check_configuration(const TrainConfiguration& configuration) {
  const TrainConfiguration& c = configuration;
  if (c.data.empty())
    fail(ExitCode::usage,
         "--data is missing: the folder of a store made by `convoy pack` or `convoy synthesize`");
  if (c.output.empty())
    fail(ExitCode::usage,
         "--output is missing: the folder that the run writes its checkpoints and figures into");
  check_lengths(c);
  check_optimizer(c);
  check_schedule(c);
  check_input(c);
  make_network(c.model, {.classes = c.classes, .dropout = c.dropout});
  if (c.threads < 0)
    fail(ExitCode::usage, "--threads {}: must be 0 (this rank's share of the cores) or more", c.threads);
  check_not_negative(c.watchdog_seconds, "watchdog-seconds");
  check_device_options(c, resolve_device(c.device), 1);
  if (const std::string refusal = precision_refusal(c.device, c.precision); !refusal.empty())
    fail(ExitCode::usage, "{}", refusal);
}

void check_device_options(const TrainConfiguration& configuration, DeviceKind device, int ranks) {
  const TrainConfiguration& c = configuration;
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
