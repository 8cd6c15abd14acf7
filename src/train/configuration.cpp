#include "train/configuration.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/error.hpp"
#include "data/augmentation.hpp"
#include "model/networks.hpp"

namespace convoy {
namespace {

// The spellings of the command line, so that the text can be given back as a configuration file.
const char* schedule_name(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::constant:
      return "constant";
    case ScheduleKind::step:
      return "step";
    case ScheduleKind::plateau:
      return "plateau";
    case ScheduleKind::polynomial:
      return "polynomial";
    case ScheduleKind::cosine:
      return "cosine";
  }
  return "";
}

const char* initialiser_name(Initialiser initialiser) {
  switch (initialiser) {
    case Initialiser::paper:
      return "paper";
    case Initialiser::caffe:
      return "caffe";
    case Initialiser::torch:
      return "torch";
    case Initialiser::keras:
      return "keras";
  }
  return "";
}

const char* precision_name(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::tf32:
      return "tf32";
    case Precision::bf16:
      return "bf16";
    case Precision::fp16:
      return "fp16";
  }
  return "";
}

const char* wire_name(WirePrecision wire) {
  switch (wire) {
    case WirePrecision::fp32:
      return "fp32";
    case WirePrecision::bf16:
      return "bf16";
    case WirePrecision::fp16:
      return "fp16";
  }
  return "";
}

const char* collective_name(CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::automatic:
      return "auto";
    case CollectiveKind::nccl:
      return "nccl";
    case CollectiveKind::mpi:
      return "mpi";
  }
  return "";
}

const char* graph_name(GraphUse use) {
  switch (use) {
    case GraphUse::automatic:
      return "auto";
    case GraphUse::on:
      return "on";
    case GraphUse::off:
      return "off";
  }
  return "";
}

const char* device_kind_name(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::automatic:
      return "auto";
    case DeviceKind::cpu:
      return "cpu";
    case DeviceKind::cuda:
      return "cuda";
  }
  return "";
}

std::string text_of(const DatedRate& rate) {
  std::string text = fmt::format("{}", rate.first);
  for (const auto& [epoch, value] : rate.later) text += fmt::format(", {}:{}", epoch, value);
  return text;
}

std::string text_of(const RateRule& rule) {
  if (rule.own) return text_of(*rule.own);
  return fmt::format("x{}", rule.factor.value_or(1));
}

std::string text_of(const Interval& interval) {
  if (interval.count == 0) return "0";
  return fmt::format("{}{}{}", interval.count, interval.epochs ? "epoch" : "step",
                     interval.count == 1 ? "" : "s");
}

std::string text_of(const AugmentationSettings& settings) {
  std::string text;
  const auto add = [&](bool on, const char* name) {
    if (!on) return;
    if (!text.empty()) text += ',';
    text += name;
  };
  add(settings.crop, "crop");
  add(settings.resized_crop, "resized-crop");
  add(settings.mirror, "mirror");
  add(settings.colour, "colour");
  add(settings.rotate, "rotate");
  add(settings.shift, "shift");
  return text.empty() ? "none" : text;
}

// Collects "key = value" lines.
class Lines {
 public:
  template <typename Value>
  void add(std::string_view key, const Value& value) {
    text_ += fmt::format("{} = {}\n", key, value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_optimizer(Lines& lines, const TrainConfiguration& c) {
  lines.add("optimizer", optimizer_name(c.optimizer.rule));
  if (c.optimizer.rule == OptimizerRule::adam) {
    lines.add("adam-betas", fmt::format("{},{}", c.optimizer.beta1, c.optimizer.beta2));
    lines.add("adam-epsilon", c.optimizer.epsilon);
  } else {
    lines.add("momentum", c.optimizer.momentum);
  }
  lines.add("weight-decay", c.weight_decay);
  if (c.bias_decay) lines.add("bias-decay", *c.bias_decay);
}

void add_schedule(Lines& lines, const TrainConfiguration& c) {
  const ScheduleSettings& s = c.schedule;
  lines.add("lr", text_of(s.rate));
  for (const auto& [key, rule] : s.rules) lines.add("lr." + key, text_of(rule));
  lines.add("schedule", schedule_name(s.kind));
  if (s.kind == ScheduleKind::step) {
    lines.add("step-epochs", s.step_epochs);
    lines.add("step-factor", s.step_factor);
  }
  if (s.kind == ScheduleKind::plateau) {
    lines.add("patience", s.patience);
    lines.add("drops", s.drops);
    lines.add("plateau-factor", s.plateau_factor);
    lines.add("plateau-threshold", s.plateau_threshold);
  }
  if (s.kind == ScheduleKind::polynomial) lines.add("power", s.power);
  if (s.kind == ScheduleKind::polynomial || s.kind == ScheduleKind::cosine) lines.add("end-lr", s.end_rate);
  if (s.warmup_epochs > 0) {
    lines.add("warmup-epochs", s.warmup_epochs);
    lines.add("warmup-start", s.warmup_start);
  }
  lines.add("scale-lr", c.scale_rate_linearly ? "linear" : "none");
  if (c.scale_rate_linearly) lines.add("recipe-batch", c.recipe_batch);
}

void add_input(Lines& lines, const TrainConfiguration& c) {
  const AugmentationSettings& a = c.augmentation;
  lines.add("augment", text_of(a));
  if (a.colour) {
    lines.add("colour-sigma", a.colour_sigma);
    if (a.colour_until_epoch >= 0) lines.add("augment.colour", fmt::format("until:{}", a.colour_until_epoch));
  }
  if (a.rotate) lines.add("rotate-degrees", a.rotate_degrees);
  if (a.shift) lines.add("shift-fraction", a.shift_fraction);
  lines.add("input-mean", c.input_mean);
  lines.add("input-scale", c.input_scale);
  lines.add("shuffle", c.shuffle_by_node ? "node" : "global");
}

void add_result_options(Lines& lines, const TrainConfiguration& c) {
  lines.add("model", c.model);
  lines.add("classes", c.classes);
  lines.add("seed", c.seed);
  lines.add("epochs", c.epochs);
  lines.add("global-batch", c.global_batch);
  lines.add("accumulate", c.accumulate);
  add_optimizer(lines, c);
  add_schedule(lines, c);
  if (c.initialiser) lines.add("init", initialiser_name(*c.initialiser));
  if (c.dropout) lines.add("dropout", *c.dropout);
  add_input(lines, c);
  lines.add("precision", precision_name(c.precision));
  lines.add("deterministic", !c.deterministic ? "auto" : *c.deterministic ? "on" : "off");
  if (c.wire != WirePrecision::fp32) lines.add("wire-precision", wire_name(c.wire));
}

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
           option, text_of(rate), epoch);
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

const char* optimizer_name(OptimizerRule rule) {
  switch (rule) {
    case OptimizerRule::sgd:
      return "sgd";
    case OptimizerRule::sgd_caffe:
      return "sgd-caffe";
    case OptimizerRule::adam:
      return "adam";
  }
  return "";
}

std::string configuration_text(const TrainConfiguration& configuration) {
  Lines lines;
  add_result_options(lines, configuration);
  return lines.take();
}

std::string full_configuration_text(const TrainConfiguration& c) {
  Lines lines;
  add_result_options(lines, c);
  lines.add("data", c.data);
  lines.add("output", c.output);
  if (!c.weights.empty()) lines.add("weights", c.weights);
  lines.add("resume", c.resume);
  if (c.steps >= 0) lines.add("steps", c.steps);
  lines.add("evaluate-every", text_of(c.evaluate_every));
  lines.add("checkpoint-every", text_of(c.checkpoint_every));
  lines.add("keep", c.keep);
  lines.add("log-every", c.log_every);
  lines.add("workers", c.workers);
  lines.add("device", device_kind_name(c.device));
  lines.add("threads", c.threads);
  lines.add("collective", collective_name(c.collective));
  lines.add("cuda-graph", graph_name(c.cuda_graph));
  lines.add("watchdog-seconds", c.watchdog_seconds);
  return lines.take();
}

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
  const DeviceKind device = resolve_device(c.device);
  if (device != DeviceKind::automatic) check_device_options(c, device);
  if (const std::string refusal = precision_refusal(c.device, c.precision); !refusal.empty())
    fail(ExitCode::usage, "{}", refusal);
}

void check_device_options(const TrainConfiguration& configuration, DeviceKind device) {
  const TrainConfiguration& c = configuration;
  const char* where = c.device == DeviceKind::cpu ? "with --device cpu" : "on a machine without a usable GPU";
  if (device == DeviceKind::cpu) {
    if (c.collective == CollectiveKind::nccl)
      fail(ExitCode::usage, "--collective nccl sums the memory of GPUs, and does not go {}: use auto or mpi",
           where);
    if (c.wire != WirePrecision::fp32)
      fail(ExitCode::usage,
           "--wire-precision {} is a transport of GPUs by NCCL, and does not go {}: use fp32",
           wire_name(c.wire), where);
    if (c.cuda_graph == GraphUse::on)
      fail(ExitCode::usage, "--cuda-graph on records what a GPU does, and does not go {}: use auto or off",
           where);
  }
  if (c.collective != CollectiveKind::mpi) return;
  if (c.wire != WirePrecision::fp32)
    fail(ExitCode::usage,
         "--wire-precision {} is a transport of NCCL: with --collective mpi use fp32, or use --collective "
         "nccl",
         wire_name(c.wire));
  if (c.cuda_graph == GraphUse::on)
    fail(
        ExitCode::usage,
        "--cuda-graph on does not go with --collective mpi, which waits for the device within each step: use "
        "--cuda-graph auto or off, or --collective nccl");
}

}  // namespace convoy
