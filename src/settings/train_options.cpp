// The options of `convoy train` that decide the result, each declared once, and the list of all. An option is
// added here or in place_options.cpp, as a member of TrainConfiguration, and where it is used.
#include <fmt/format.h>

#include "base/error.hpp"
#include "model/networks.hpp"
#include "settings/option_list.hpp"

namespace convoy {
namespace {

using Configuration = TrainConfiguration;

constexpr Bounds not_negative{.least = 0};
constexpr Bounds fraction{.least = 0, .most = 1};
constexpr Bounds below_one{.least = 0, .most = 1, .below = true};
constexpr Bounds factor{.least = 0, .most = 1, .above = true};

// Positions in a global batch and numbers of epochs are words of the random counters (base/random.hpp).
constexpr std::int64_t most_samples = std::numeric_limits<std::int32_t>::max();
constexpr double most_epochs = 1e9;
constexpr std::int64_t most_steps = 1'000'000'000'000;

Notation<std::string> network_name() {
  return {.value_name = "NAME",
          .parse =
              [](const std::string& text) {
                const std::vector<std::string> names = network_names();
                Words<std::string> words;
                for (const std::string& name : names) words.emplace_back(name, name);
                return parse_word<std::string>(text, words);
              },
          .text = [](const std::string& name) { return name; },
          .words = network_names()};
}

void read_betas(Configuration& c, const std::string&, const std::string& text) {
  const std::vector<std::string> parts = split_list(text, ',');
  if (parts.size() != 2) fail(ExitCode::usage, "'{}' is not two numbers such as 0.9,0.999", text);
  c.optimizer.beta1 = static_cast<float>(parse_real(parts[0], below_one));
  c.optimizer.beta2 = static_cast<float>(parse_real(parts[1], below_one));
}

TrainOption::Texts write_betas(const Configuration& c) {
  return {{"", fmt::format("{},{}", c.optimizer.beta1, c.optimizer.beta2)}};
}

void read_rate_rule(Configuration& c, const std::string& key, const std::string& text) {
  c.schedule.rules[key] = parse_rate_rule(text);
}

TrainOption::Texts write_rate_rules(const Configuration& c) {
  TrainOption::Texts texts;
  for (const auto& [key, rule] : c.schedule.rules) texts.emplace_back(key, rate_rule_text(rule));
  return texts;
}

// augment.colour = until:67.
void read_colour_date(Configuration& c, const std::string& key, const std::string& text) {
  constexpr std::string_view until = "until:";
  if (key != "colour") fail(ExitCode::usage, "only augment.colour can be dated");
  if (!text.starts_with(until)) fail(ExitCode::usage, "'{}' is not until:EPOCH, such as until:67", text);
  c.augmentation.colour_until_epoch =
      parse_integer(std::string_view(text).substr(until.size()), 0, any_count);
}

TrainOption::Texts write_colour_date(const Configuration& c) {
  if (c.augmentation.colour_until_epoch < 0) return {};
  return {{"colour", fmt::format("until:{}", c.augmentation.colour_until_epoch)}};
}

void add_what(OptionList& list) {
  list.in(group_what, Concern::result);
  list.add(
          "model", [](auto& c) -> auto& { return c.model; }, network_name(),
          "the network; convoy models lists them")
      .resumed(OnResume::refuse);
  list.add(
          "classes", [](auto& c) -> auto& { return c.classes; }, whole_number<int>(0, any_int),
          "outputs of the last layer; 0: the store's number of classes")
      .resumed(OnResume::refuse);
  list.add(
          "seed", [](auto& c) -> auto& { return c.seed; }, any_whole_number(), "seed of everything random")
      .resumed(OnResume::refuse_within_epoch);
}

void add_batch(OptionList& list) {
  list.in(group_length, Concern::result);
  list.add(
          "epochs", [](auto& c) -> auto& { return c.epochs; },
          real_number<double>("N", {.least = 0, .most = most_epochs}), "passes over the training split")
      .when([](const Configuration& c) { return c.steps < 0; });
  list.add(
      "steps", [](auto& c) -> auto& { return c.steps; }, whole_number<std::int64_t>(-1, most_steps),
      "updates in all, instead of --epochs; 0 writes the initial weights; -1: by epochs");
  list.in(group_batch, Concern::result);
  list.add(
          "global-batch", [](auto& c) -> auto& { return c.global_batch; },
          whole_number<std::int64_t>(1, most_samples), "samples of one update over all ranks together")
      .resumed(OnResume::refuse);
  list.add(
      "accumulate", [](auto& c) -> auto& { return c.accumulate; }, whole_number<int>(1, any_int),
      "parts in which each rank computes its share, to save memory");
}

void add_optimizer(OptionList& list) {
  const auto taken = [](OptimizerSetting setting) {
    return [setting](const Configuration& c) { return takes(c.optimizer.rule, setting); };
  };
  list.in(group_optimizer, Concern::result);
  list.add(
          "optimizer", [](auto& c) -> auto& { return c.optimizer.rule; }, one_of(optimizer_words()),
          "sgd as PyTorch writes it, sgd-caffe with the rate inside the velocity (Caffe, the 2012 paper), "
          "adam")
      .resumed(OnResume::refuse);
  list.add("adam-betas", "B1,B2", "decay rates of Adam's moments", read_betas, write_betas)
      .when("optimizer", taken(OptimizerSetting::betas));
  // A second moment below 2^-126 counts as zero (settled, engine/update_arithmetic.hpp): the divisor needs
  // more; and it must be finite in float32.
  list.add(
          "adam-epsilon", [](auto& c) -> auto& { return c.optimizer.epsilon; },
          real_number<float>("E", {.least = 1e-15, .most = 3e38}),
          "added to the square root of the second moment")
      .when("optimizer", taken(OptimizerSetting::epsilon));
  list.add(
          "momentum", [](auto& c) -> auto& { return c.optimizer.momentum; },
          real_number<float>("M", below_one), "momentum of SGD")
      .when("optimizer", taken(OptimizerSetting::momentum));
  list.add(
      "weight-decay", [](auto& c) -> auto& { return c.weight_decay; }, real_number<double>("D", not_negative),
      "L2 decay, added to the gradient");
  list.add(
          "bias-decay", [](auto& c) -> auto& { return c.bias_decay; },
          or_default(real_number<double>("D", not_negative)), "decay of the biases")
      .when([](const Configuration& c) { return c.bias_decay.has_value(); })
      .otherwise("as --weight-decay");
}

void add_rates(OptionList& list) {
  list.add(
      "lr", [](auto& c) -> auto& { return c.schedule.rate; }, dated_rate(),
      "0.01, or dated: 0.01, 25:0.001, 51:1e-4 (from that epoch on)");
  list.add("lr", "RATE|xFACTOR",
           "rate of a layer (lr.conv1), a kind (lr.bias) or both (lr.conv1.bias): its own, or x2 the base "
           "rate",
           read_rate_rule, write_rate_rules)
      .with_keys();
}

void add_schedule(OptionList& list) {
  const auto follows = [](ScheduleKind kind) {
    return [kind](const Configuration& c) { return c.schedule.kind == kind; };
  };
  list.in(group_schedule, Concern::result);
  list.add(
      "schedule", [](auto& c) -> auto& { return c.schedule.kind; }, one_of(schedule_words()),
      "how the learning rate changes");
  list.add(
          "step-epochs", [](auto& c) -> auto& { return c.schedule.step_epochs; },
          real_number<double>("N", {.least = 1e-9}), "step: epochs between drops")
      .when("schedule", follows(ScheduleKind::step));
  list.add(
          "step-factor", [](auto& c) -> auto& { return c.schedule.step_factor; },
          real_number<double>("F", factor), "step: the rate is multiplied by this")
      .when("schedule", follows(ScheduleKind::step));
  const auto plateau = follows(ScheduleKind::plateau);
  list.add(
          "patience", [](auto& c) -> auto& { return c.schedule.patience; }, whole_number<int>(1, any_int),
          "plateau: epochs without progress before a drop")
      .when("schedule", plateau);
  list.add(
          "drops", [](auto& c) -> auto& { return c.schedule.drops; }, whole_number<int>(0, any_int),
          "plateau: at most this many")
      .when("schedule", plateau);
  list.add(
          "plateau-factor", [](auto& c) -> auto& { return c.schedule.plateau_factor; },
          real_number<double>("F", factor), "plateau: the rate is multiplied by this")
      .when("schedule", plateau);
  list.add(
          "plateau-threshold", [](auto& c) -> auto& { return c.schedule.plateau_threshold; },
          real_number<double>("F", fraction),
          "plateau: the top-1 error must fall by this to count as progress")
      .when("schedule", plateau);
  list.add(
          "power", [](auto& c) -> auto& { return c.schedule.power; }, real_number<double>("P", not_negative),
          "polynomial: exponent")
      .when("schedule", follows(ScheduleKind::polynomial));
  list.add(
          "end-lr", [](auto& c) -> auto& { return c.schedule.end_rate; },
          real_number<double>("RATE", not_negative), "polynomial and cosine: the rate at the run's end")
      .when("schedule", [](const Configuration& c) {
        return c.schedule.kind == ScheduleKind::polynomial || c.schedule.kind == ScheduleKind::cosine;
      });
  const auto warms_up = [](const Configuration& c) { return c.schedule.warmup_epochs > 0; };
  list.add(
          "warmup-epochs", [](auto& c) -> auto& { return c.schedule.warmup_epochs; },
          real_number<double>("N", not_negative), "rise linearly to the rate over these epochs")
      .when(warms_up);
  list.add(
          "warmup-start", [](auto& c) -> auto& { return c.schedule.warmup_start; },
          real_number<double>("F", fraction), "where the warm-up starts, as a fraction of the rate")
      .when("warmup-epochs", warms_up);
}

void add_rate_scaling(OptionList& list) {
  list.in(group_batch, Concern::result);
  list.add(
      "scale-lr", [](auto& c) -> auto& { return c.scale_rate_linearly; },
      one_of(Words<bool>{{"none", false}, {"linear", true}}),
      "linear: multiply the rate by --global-batch over the recipe's own");
  list.add(
          "recipe-batch", [](auto& c) -> auto& { return c.recipe_batch; },
          whole_number<std::int64_t>(0, most_samples),
          "global batch that the rate was chosen for, for --scale-lr; 0: the recipe file's")
      .when("scale-lr", [](const Configuration& c) { return c.scale_rate_linearly; });
}

void add_network(OptionList& list) {
  list.in(group_network, Concern::result);
  list.add(
          "init", [](auto& c) -> auto& { return c.initialiser; }, or_default(one_of(initialiser_words())),
          "initial weights")
      .when([](const Configuration& c) { return c.initialiser.has_value(); })
      .otherwise("the network's own");
  list.add(
          "dropout", [](auto& c) -> auto& { return c.dropout; },
          or_default(real_number<double>("P", below_one)),
          "probability that a unit of the fully connected layers is dropped")
      .when([](const Configuration& c) { return c.dropout.has_value(); })
      .otherwise("the network's own");
}

Notation<AugmentationKinds> augmentations() {
  return {.value_name = "LIST",
          .parse = [](const std::string& text) -> AugmentationKinds { return parse_augmentation(text); },
          .text = augmentation_text};
}

void add_augmentation(OptionList& list) {
  list.in(group_input, Concern::result);
  list.add(
      "augment", [](auto& c) -> auto& { return c.augmentation.kinds(); }, augmentations(),
      "crop,resized-crop,mirror,colour,rotate,shift, or none: the centre crop");
  const auto colour = [](const Configuration& c) { return c.augmentation.colour; };
  list.add(
          "colour-sigma", [](auto& c) -> auto& { return c.augmentation.colour_sigma; },
          real_number<double>("S", not_negative),
          "colour: spread of the shifts along RGB's principal components")
      .when("augment", colour);
  list.add("augment", "until:EPOCH", "augment.colour until:67 switches colour off at that epoch",
           read_colour_date, write_colour_date)
      .with_keys()
      .when("augment", colour);
  list.add(
          "rotate-degrees", [](auto& c) -> auto& { return c.augmentation.rotate_degrees; },
          real_number<double>("D", {.least = 0, .most = 180}), "rotate: up to this angle to either side")
      .when("augment", [](const Configuration& c) { return c.augmentation.rotate; });
  list.add(
          "shift-fraction", [](auto& c) -> auto& { return c.augmentation.shift_fraction; },
          real_number<double>("F", fraction), "shift: up to this fraction of the side")
      .when("augment", [](const Configuration& c) { return c.augmentation.shift; });
}

void add_input(OptionList& list) {
  add_augmentation(list);
  list.add(
      "input-mean", [](auto& c) -> auto& { return c.input_mean; }, one_of(input_mean_words()),
      "mean to subtract: the store's mean colour, its mean image, or nothing");
  list.add(
      "input-scale", [](auto& c) -> auto& { return c.input_scale; },
      Notation<InputScale>{.value_name = "std|none|F",
                           .parse = parse_input_scale,
                           .text = [](const InputScale& scale) { return scale.text; }},
      "scale applied after subtracting the mean: 1/std of the store, 1 (none), or a number such as 1/255");
  list.add(
          "shuffle", [](auto& c) -> auto& { return c.shuffle_by_node; },
          one_of(Words<bool>{{"global", false}, {"node", true}}),
          "node: each node reads only its own shards, and the order depends on their number")
      .resumed(OnResume::refuse_within_epoch);
}

void add_arithmetic(OptionList& list) {
  list.in(group_machine, Concern::result);
  list.add(
      "precision", [](auto& c) -> auto& { return c.precision; }, one_of(precision_words()),
      "arithmetic of the layers; weights are always kept in float32");
  list.add(
      "deterministic", [](auto& c) -> auto& { return c.deterministic; },
      one_of(Words<std::optional<bool>>{{"auto", std::nullopt}, {"on", true}, {"off", false}}),
      "same inputs, same bits; auto: on for the CPU, off for GPUs, which then run faster");
  list.add(
          "wire-precision", [](auto& c) -> auto& { return c.wire; }, one_of(wire_words()),
          "format in which NCCL sums gradients between GPUs; 16 bits are less exact")
      .when([](const Configuration& c) { return c.wire != WirePrecision::fp32; });
}

}  // namespace

std::vector<TrainOption> train_options() {
  OptionList list;
  add_what(list);
  add_batch(list);
  add_optimizer(list);
  add_rates(list);
  add_schedule(list);
  add_rate_scaling(list);
  add_network(list);
  add_input(list);
  add_arithmetic(list);
  add_place_options(list);
  add_machine_options(list);
  return list.take();
}

std::vector<std::string> train_option_groups() {
  return {group_what,    group_length, group_batch,   group_optimizer, group_schedule,
          group_network, group_input,  group_records, group_machine};
}

}  // namespace convoy
