#include <fmt/format.h>

#include <filesystem>
#include <limits>
#include <optional>
#include <set>

#include "base/atomic_file.hpp"
#include "cli/commands.hpp"
#include "cli/common_options.hpp"
#include "cli/train_options.hpp"
#include "data/store.hpp"
#include "model/networks.hpp"
#include "plan/plan_text.hpp"
#include "plan/quantities.hpp"
#include "plan/run_plan.hpp"
#include "settings/check.hpp"

namespace convoy {
namespace {

// ImageNet's, the data of the recipes.
constexpr DataSizes imagenet = {
    .images = 1281167, .validation_images = 50000, .classes = 1000, .image_size = 256};

class PlanCommand : public Command {
 public:
  std::string_view name() const override { return "plan"; }
  std::string_view summary() const override {
    return "say what a run will do, need and take, without data or GPUs";
  }
  std::string_view description() const override {
    return R"(Takes the options of convoy train and says what the run will do: learning rates by epoch, memory of each rank
by purpose, buckets of gradients, bytes on the network, checkpoints on disk, the line that submits it to Slurm.
With measured speeds it also predicts the time of a step on each number of ranks, the communication that
computing does not hide, how long the run takes and how often it is requeued. Speeds come from a run of one
rank or benchmark_step --json, links from benchmark_allreduce --json, or from the options below. It needs no
data: without --data it plans for ImageNet's images, or for the numbers that you pass.)";
  }
  std::string_view example() const override {
    return R"(  convoy plan --config owt --precision bf16 --device cuda --ranks 8 --time-limit 12:00:00
  convoy plan --config owt --ranks 8,16,32 --node-bandwidth 400GB/s --bandwidth 400Gb/s --images-per-second 50000
  convoy plan --config cifar10 --images 50000 --image-size 32 --classes 10 --ranks 1,2 --calibrate runs/one-rank)";
  }
  bool uses_ranks() const override { return false; }

  void declare(OptionTable& table) override {
    declare_ranks(table);
    declare_prediction(table);
    declare_data(table);
    declare_train_options(table, configuration());
  }

  void check(const OptionTable& table) override {
    const std::string recipe_batch = table.configured("global-batch");
    if (configuration().recipe_batch == 0 && !recipe_batch.empty())
      configuration().recipe_batch = parse_integer(recipe_batch, 1, std::numeric_limits<std::int64_t>::max());
    check_values(configuration());
    if (!json_.empty()) check_output_file("json", json_);
    for (auto& said : table.on_command_line())
      if (!own_options_.contains(said.first)) request_.train_options.push_back(std::move(said));
  }

  ExitCode run_alone(const Log&) override {
    for (const std::string& file : calibrations_) read_calibration(file, request_.calibration);
    request_.data = sizes();
    configuration().classes = request_.data.classes;
    request_.device = planned_device(configuration(), request_.calibration);
    const RunPlan plan = make_plan(request_);
    if (!json_.empty()) write_file_atomically(json_, plan_to_json(request_, plan));
    fmt::print("{}", plan_to_text(request_, plan));
    return ExitCode::done;
  }

 private:
  TrainConfiguration& configuration() { return request_.configuration; }

  // Declares an option that convoy train does not have.
  void own(OptionTable& table, const std::string& name, const char* value_name, const char* help,
           const OptionTable::Setter& set) {
    own_options_.insert(name);
    table.add(name, value_name, help, set);
  }

  void declare_ranks(OptionTable& table) {
    table.group("Ranks");
    own(table, "ranks", "N,…", "numbers of ranks to plan for, such as 1,8,64 [1]",
        [this](const std::string& value) { request_.ranks = parse_rank_counts(value); });
    own(table, "ranks-per-node", "N", "ranks on each node; 0: eight on GPUs, all on CPUs [0]",
        [this](const std::string& value) {
          request_.ranks_per_node = static_cast<int>(parse_integer(value, 0, 4096));
        });
    own(table, "cores", "N", "CPUs: cores of a node, which its ranks share; 0: as measured [0]",
        [this](const std::string& value) {
          request_.cores = static_cast<int>(parse_integer(value, 0, 65536));
        });
    own(table, "time-limit", "[D-]HH:MM:SS", "wall-clock limit of a job, for the number of requeues",
        [this](const std::string& value) { request_.time_limit = parse_time_limit(value); });
    own(table, "json", "FILE", "also write the plan as JSON",
        [this](const std::string& value) { json_ = value; });
  }

  void declare_prediction(OptionTable& table) {
    table.group("Prediction");
    own(table, "calibrate", "FILE|RUN",
        "measurements: the output folder of a run of one rank, JSON of benchmark_step (speed), of "
        "benchmark_allreduce (links); may be given several times",
        [this](const std::string& value) { calibrations_.push_back(value); });
    table.repeatable();
    own(table, "images-per-second", "X", "speed of one rank, if nobody measured the parts of its step",
        [this](const std::string& value) {
          request_.images_per_second = parse_real(value, {.least = 0, .above = true});
        });
    own(table, "bandwidth", "RATE",
        "between nodes, in one direction, for all ranks of a node: 400Gb/s, 50GB/s",
        [this](const std::string& value) { request_.links.bandwidth = parse_bandwidth(value); });
    own(table, "latency", "TIME", "between nodes: 14us, 1ms [14us on GPUs, 50us on CPUs]",
        [this](const std::string& value) { request_.links.latency = parse_seconds(value); });
    own(table, "node-bandwidth", "RATE", "of a rank inside its node: 400GB/s",
        [this](const std::string& value) { request_.links.node_bandwidth = parse_bandwidth(value); });
    own(table, "node-latency", "TIME", "inside a node [3.4us on GPUs, 2us on CPUs]",
        [this](const std::string& value) { request_.links.node_latency = parse_seconds(value); });
    own(table, "algorithm", "auto|ring|tree|two-level|direct",
        "how sums go: auto: the faster of ring and tree on GPUs, as NCCL chooses, and direct on CPUs, which "
        "is "
        "Convoy's own sum by MPI [auto]",
        [this](const std::string& value) {
          request_.algorithm = parse_word<SumAlgorithm>(trimmed(value), sum_algorithm_words());
        });
    own(table, "overlap", "auto|on|off",
        "whether sums run while the device computes; auto: on GPUs; CPUs need a core to spare on every node "
        "[auto]",
        [this](const std::string& value) {
          request_.beside = parse_word<std::optional<bool>>(
              trimmed(value),
              Words<std::optional<bool>>{{"auto", std::nullopt}, {"on", true}, {"off", false}});
        });
  }

  void declare_data(OptionTable& table) {
    table.group("Data that is not there yet");
    own(table, "images", "N", "training images [--data's, otherwise ImageNet's 1281167]",
        [this](const std::string& value) { images_ = parse_integer(value, 1, most_images); });
    own(table, "val-images", "N", "validation images [--data's, otherwise ImageNet's 50000]",
        [this](const std::string& value) { validation_images_ = parse_integer(value, 0, most_images); });
    own(table, "image-size", "N",
        "side of the stored images [--data's, otherwise 256 or what the network takes]",
        [this](const std::string& value) { image_size_ = static_cast<int>(parse_integer(value, 8, 4096)); });
  }

  // Of the store where it is there, unless options say otherwise.
  DataSizes sizes() {
    DataSizes data = imagenet;
    data.image_size = make_network(configuration().model).stored_side;
    if (!configuration().data.empty()) data = sizes_of_store();
    if (images_) data.images = *images_;
    if (validation_images_) data.validation_images = *validation_images_;
    if (image_size_) data.image_size = *image_size_;
    if (configuration().classes > 0) data.classes = configuration().classes;
    return data;
  }

  DataSizes sizes_of_store() const {
    const std::filesystem::path folder = request_.configuration.data;
    const Store store = parse_store(read_store_text(folder), folder);
    DataSizes data{.images = store.split("train").images,
                   .validation_images = store.val ? store.val->images : 0,
                   .classes = static_cast<int>(store.classes.size()),
                   .image_size = store.image_size};
    for (const ClassEntry& entry : store.classes)
      data.class_text += static_cast<std::int64_t>(entry.id.size() + entry.name.size());
    return data;
  }

  static constexpr std::int64_t most_images = std::numeric_limits<std::int32_t>::max();

  PlanRequest request_;
  std::set<std::string> own_options_;
  std::vector<std::string> calibrations_;
  std::string json_;
  std::optional<std::int64_t> images_, validation_images_;
  std::optional<int> image_size_;
};

}  // namespace

std::unique_ptr<Command> make_plan_command() {
  return std::make_unique<PlanCommand>();
}

}  // namespace convoy
