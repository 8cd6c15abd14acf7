// A configuration written down, in the spellings of the command line: as a file for --config that gives it
// back.
#include <fmt/format.h>

#include "train/configuration.hpp"
#include "train/option_words.hpp"

namespace convoy {
namespace {

std::string text_of(const RateRule& rule) {
  if (rule.own) return rate_text(*rule.own);
  return fmt::format("x{}", rule.factor.value_or(1));
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
  lines.add("optimizer", word_of(optimizer_words(), c.optimizer.rule));
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
  lines.add("lr", rate_text(s.rate));
  for (const auto& [key, rule] : s.rules) lines.add("lr." + key, text_of(rule));
  lines.add("schedule", word_of(schedule_words(), s.kind));
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
  lines.add("scale-lr", word_of(rate_scaling_words(), c.scale_rate_linearly));
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
  lines.add("shuffle", word_of(shuffle_words(), c.shuffle_by_node));
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
  if (c.initialiser) lines.add("init", word_of(initialiser_words(), *c.initialiser));
  if (c.dropout) lines.add("dropout", *c.dropout);
  add_input(lines, c);
  lines.add("precision", word_of(precision_words(), c.precision));
  lines.add("deterministic", word_of(deterministic_words(), c.deterministic));
  if (c.wire != WirePrecision::fp32) lines.add("wire-precision", word_of(wire_words(), c.wire));
}

}  // namespace

std::string rate_text(const DatedRate& rate) {
  std::string text = fmt::format("{}", rate.first);
  for (const auto& [epoch, value] : rate.later) text += fmt::format(", {}:{}", epoch, value);
  return text;
}

std::string interval_text(const Interval& interval) {
  if (interval.count == 0) return "0";
  return fmt::format("{}{}{}", interval.count, interval.epochs ? "epoch" : "step",
                     interval.count == 1 ? "" : "s");
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
  lines.add("evaluate-every", interval_text(c.evaluate_every));
  lines.add("checkpoint-every", interval_text(c.checkpoint_every));
  lines.add("keep", c.keep);
  lines.add("log-every", c.log_every);
  lines.add("workers", c.workers);
  lines.add("device", word_of(device_words(), c.device));
  lines.add("threads", c.threads);
  lines.add("collective", word_of(collective_words(), c.collective));
  lines.add("cuda-graph", word_of(graph_words(), c.cuda_graph));
  lines.add("watchdog-seconds", c.watchdog_seconds);
  return lines.take();
}

}  // namespace convoy
