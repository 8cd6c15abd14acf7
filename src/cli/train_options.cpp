#include "cli/train_options.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "cli/common_options.hpp"
#include "model/networks.hpp"
#include "train/option_words.hpp"

namespace convoy {
namespace {

constexpr std::int64_t any_count = std::numeric_limits<std::int64_t>::max();
constexpr double any_number = std::numeric_limits<double>::max();

// Positions in a global batch and numbers of epochs are words of the random counters (base/random.hpp).
constexpr std::int64_t most_samples = std::numeric_limits<std::int32_t>::max();
constexpr double most_epochs = 1e9;
constexpr std::int64_t most_steps = 1'000'000'000'000;
constexpr double most_seconds = 1e9;  // thirty years

void declare_what(OptionTable& table, TrainConfiguration& c) {
  table.group("What to train");
  table.add_config();
  table.add("model", "NAME", fmt::format("the network; convoy models lists them [{}]", c.model),
            [&c](const std::string& value) {
              const std::vector<std::string> names = network_names();
              c.model = parse_word<std::string>(value, [&names]() {
                Words<std::string> words;
                for (const std::string& name : names) words.emplace_back(name, name);
                return words;
              }());
            });
  table.add_text("data", "STORE", "the store to train on, made by convoy pack or convoy synthesize", c.data);
  table.add_text("output", "FOLDER", "where the run writes: run.json, metrics.jsonl, checkpoints/", c.output);
  table.add_text("weights", "CHECKPOINT",
                 "start from this checkpoint's parameters alone (fine-tuning); layers whose shape differs "
                 "get initial weights",
                 c.weights);
  table.add_text("resume", "auto|none|PATH",
                 "auto: resume from the newest valid checkpoint in --output, if there is one; PATH: from "
                 "this one; none: start a new run",
                 c.resume);
  table.add_integer("seed", "seed of everything random", c.seed, 0);
  table.add_integer("classes", "outputs of the last layer; 0: the store's number of classes", c.classes, 0);
}

void declare_length(OptionTable& table, TrainConfiguration& c) {
  table.group("How long");
  table.add_real("epochs", "N", "passes over the training split", c.epochs, 0, most_epochs);
  table.add_integer("steps",
                    "updates in all, instead of --epochs; 0 writes the initial weights; -1: by epochs",
                    c.steps, -1, most_steps);
  table.add("evaluate-every", "INTERVAL",
            fmt::format("500steps, 1epoch, or 0: only at the end [{}]", interval_text(c.evaluate_every)),
            [&c](const std::string& value) { c.evaluate_every = parse_interval(value); });
  table.add("checkpoint-every", "INTERVAL",
            fmt::format("500steps, 1epoch, or 0: only at the end [{}]", interval_text(c.checkpoint_every)),
            [&c](const std::string& value) { c.checkpoint_every = parse_interval(value); });
  table.add_integer("keep", "newest checkpoints to keep beside the best one; 0: all", c.keep, 0);
  table.add_integer("log-every", "steps between lines of metrics.jsonl and of the progress display",
                    c.log_every, 1);
}

void declare_batch(OptionTable& table, TrainConfiguration& c) {
  table.group("Batch");
  table.add_integer("global-batch", "samples of one update over all ranks together", c.global_batch, 1,
                    most_samples);
  table.add_integer("accumulate", "parts in which each rank computes its share, to save memory", c.accumulate,
                    1);
  table.add_word<bool>("scale-lr", "linear: multiply the rate by --global-batch over the recipe's own",
                       c.scale_rate_linearly, rate_scaling_words());
  table.add_integer("recipe-batch",
                    "global batch that the rate was chosen for, for --scale-lr; 0: the recipe file's",
                    c.recipe_batch, 0, most_samples);
}

void declare_optimizer(OptionTable& table, TrainConfiguration& c) {
  table.group("Optimiser");
  table.add_word<OptimizerRule>(
      "optimizer",
      "sgd as PyTorch writes it, sgd-caffe with the rate inside the velocity (Caffe, the 2012 paper), adam",
      c.optimizer.rule, optimizer_words());
  table.add(
      "lr", "RATE",
      fmt::format("0.01, or dated: 0.01, 25:0.001, 51:1e-4 (from that epoch on) [{}]", c.schedule.rate.first),
      [&c](const std::string& value) { c.schedule.rate = parse_dated_rate(value); });
  table.add_keyed(
      "lr", "RATE|xFACTOR",
      "rate of a layer (lr.conv1), a kind (lr.bias) or both (lr.conv1.bias): its own, or x2 the base rate",
      [&c](const std::string& key, const std::string& value) {
        c.schedule.rules[key] = parse_rate_rule(value);
      });
  table.add_real("momentum", "M", "momentum of SGD", c.optimizer.momentum, 0, 1);
  table.add_real("weight-decay", "D", "L2 decay, added to the gradient", c.weight_decay, 0);
  table.add("bias-decay", "D", "decay of the biases [as --weight-decay]",
            [&c](const std::string& value) { c.bias_decay = parse_real(value, 0, any_number); });
  table.add("adam-betas", "B1,B2", fmt::format("[{},{}]", c.optimizer.beta1, c.optimizer.beta2),
            [&c](const std::string& value) {
              const std::vector<std::string> parts = split_list(value, ',');
              if (parts.size() != 2)
                fail(ExitCode::usage, "'{}' is not two numbers such as 0.9,0.999", value);
              c.optimizer.beta1 = static_cast<float>(parse_real(parts[0], 0, 1));
              c.optimizer.beta2 = static_cast<float>(parse_real(parts[1], 0, 1));
            });
  // A second moment below 2^-126 is taken as zero (settled, engine/update_arithmetic.hpp): something must
  // stand beside it.
  table.add_real("adam-epsilon", "E", "added to the square root of the second moment", c.optimizer.epsilon,
                 1e-15);
}

void declare_schedule(OptionTable& table, TrainConfiguration& c) {
  table.group("Schedule of the rate");
  ScheduleSettings& s = c.schedule;
  table.add_word<ScheduleKind>("schedule", "how the learning rate changes", s.kind, schedule_words());
  table.add_real("warmup-epochs", "N", "rise linearly to the rate over these epochs", s.warmup_epochs, 0);
  table.add_real("warmup-start", "F", "where the warm-up starts, as a fraction of the rate", s.warmup_start,
                 0, 1);
  table.add_real("step-epochs", "N", "step: epochs between drops", s.step_epochs, 1e-9);
  table.add_real("step-factor", "F", "step: the rate is multiplied by this", s.step_factor, 0, 1);
  table.add_integer("patience", "plateau: epochs without progress before a drop", s.patience, 1);
  table.add_integer("drops", "plateau: at most this many", s.drops, 0);
  table.add_real("plateau-factor", "F", "plateau: the rate is multiplied by this", s.plateau_factor, 0, 1);
  table.add_real("plateau-threshold", "F", "plateau: the top-1 error must fall by this to count as progress",
                 s.plateau_threshold, 0, 1);
  table.add_real("power", "P", "polynomial: exponent", s.power, 0);
  table.add_real("end-lr", "RATE", "polynomial and cosine: the rate at the end", s.end_rate, 0);
}

void declare_network(OptionTable& table, TrainConfiguration& c) {
  table.group("Network");
  table.add("init", "paper|caffe|torch|keras", "initial weights [the network's own]",
            [&c](const std::string& value) {
              c.initialiser = parse_word<Initialiser>(value, initialiser_words());
            });
  table.add("dropout", "P",
            "probability that a unit of the fully connected layers is dropped [the network's own]",
            [&c](const std::string& value) {
              c.dropout = parse_real(value, 0, 1);
              if (*c.dropout == 1)
                fail(ExitCode::usage, "'{}' would drop every unit: give less than 1", value);
            });
}

// augment.colour = until:67.
void set_augmentation_dates(AugmentationSettings& a, const std::string& key, const std::string& value) {
  constexpr std::string_view until = "until:";
  if (key != "colour") fail(ExitCode::usage, "only augment.colour can be dated");
  if (!value.starts_with(until)) fail(ExitCode::usage, "'{}' is not until:EPOCH, such as until:67", value);
  a.colour_until_epoch = parse_integer(std::string_view(value).substr(until.size()), 0, any_count);
}

void declare_input(OptionTable& table, TrainConfiguration& c) {
  table.group("Input");
  table.add("augment", "LIST",
            "crop,resized-crop,mirror,colour,rotate,shift, or none: the centre crop [none]",
            [&c](const std::string& value) {
              const AugmentationSettings words = parse_augmentation(value);
              AugmentationSettings& a = c.augmentation;
              a.crop = words.crop, a.resized_crop = words.resized_crop, a.mirror = words.mirror;
              a.colour = words.colour, a.rotate = words.rotate, a.shift = words.shift;
            });
  table.add_keyed("augment", "until:EPOCH", "augment.colour until:67 switches colour off at that epoch",
                  [&c](const std::string& key, const std::string& value) {
                    set_augmentation_dates(c.augmentation, key, value);
                  });
  table.add_real("colour-sigma", "S", "colour: spread of the shifts along RGB's principal components",
                 c.augmentation.colour_sigma, 0);
  table.add_real("rotate-degrees", "D", "rotate: up to this angle to either side",
                 c.augmentation.rotate_degrees, 0, 180);
  table.add_real("shift-fraction", "F", "shift: up to this fraction of the side",
                 c.augmentation.shift_fraction, 0, 1);
  table.add_word<std::string>("input-mean",
                              "mean to subtract: the store's mean colour, its mean image, or nothing",
                              c.input_mean, {{"pixel", "pixel"}, {"image", "image"}, {"none", "none"}});
  table.add("input-scale", "std|none|F",
            fmt::format("scale applied after subtracting the mean: 1/std of the store, 1 (none), or a number "
                        "such as 1/255 [{}]",
                        c.input_scale),
            [&c](const std::string& value) {
              if (value != "std" && value != "none") {
                try {
                  parse_real(value, 1e-9, any_number);
                } catch (const Error&) {
                  fail(ExitCode::usage, "'{}' is not std, none or a number such as 1/255", value);
                }
              }
              c.input_scale = value;
            });
  table.add_integer("workers", "threads of each rank that read and check images ahead of time", c.workers, 1,
                    1024);
  table.add_word<bool>("shuffle",
                       "node: each node reads only its own shards, and the order depends on their number",
                       c.shuffle_by_node, shuffle_words());
}

void declare_machine(OptionTable& table, TrainConfiguration& c) {
  table.group("Machine");
  add_device_option(table, c.device);
  add_precision_option(table, c.precision);
  add_threads_option(table, c.threads);
  table.add_word<std::optional<bool>>(
      "deterministic", "same inputs, same bits; auto: on for the CPU, off for GPUs, which then run faster",
      c.deterministic, deterministic_words());
  table.add_word<CollectiveKind>("collective",
                                 "how ranks sum gradients; auto: nccl between GPUs, mpi between CPUs",
                                 c.collective, collective_words());
  table.add_word<WirePrecision>("wire-precision",
                                "format in which NCCL sums gradients between GPUs; 16 bits are less exact",
                                c.wire, wire_words());
  table.add_word<GraphUse>("cuda-graph", "record a step once and replay it, to reduce kernel-launch overhead",
                           c.cuda_graph, graph_words());
  table.add_real("watchdog-seconds", "S",
                 "end all ranks, naming the missing one, when no rank makes progress for this long; 0: off",
                 c.watchdog_seconds, 0, most_seconds);
}

}  // namespace

void declare_train_options(OptionTable& table, TrainConfiguration& configuration) {
  declare_what(table, configuration);
  declare_length(table, configuration);
  declare_batch(table, configuration);
  declare_optimizer(table, configuration);
  declare_schedule(table, configuration);
  declare_network(table, configuration);
  declare_input(table, configuration);
  declare_machine(table, configuration);
}

}  // namespace convoy
