#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/common_options.hpp"
#include "inference/evaluation.hpp"

namespace convoy {
namespace {

class EvaluateCommand : public Command {
 public:
  std::string_view name() const override { return "evaluate"; }
  std::string_view summary() const override {
    return "measure loss, top-1 and top-5 of a checkpoint on a store";
  }
  std::string_view description() const override {
    return R"(Passes a whole split of a store through the network of a checkpoint and prints the mean loss and the
fractions of images whose class is the most probable one (top-1) or among the five most probable (top-5).
Each image counts exactly once with any number of ranks. The checkpoint is sufficient: no configuration file
is needed.)";
  }
  std::string_view example() const override {
    return "  convoy evaluate --checkpoint runs/owt/checkpoints/best --data /data/imagenet --ten-crop";
  }

  void declare(OptionTable& table) override {
    table.group("What");
    table.add_text("checkpoint", "FILE",
                   "the checkpoint, for example runs/owt/checkpoints/best, or weights of another program "
                   "(convoy import)",
                   options_.checkpoint);
    table.add_text("data", "STORE", "the store", options_.data);
    table.add_word<std::string>("split", "the split to evaluate", options_.split,
                                {{"train", "train"}, {"val", "val"}});
    table.add_flag("ten-crop", "average over four corners, the centre and their mirror images",
                   options_.ten_crop);
    table.add_text(
        "predictions", "FILE",
        "write each image's class, its five most probable classes and the probability of the first "
        "to this file, as CSV",
        options_.predictions);
    table.add_flag("json", "print one JSON object instead of text", json_);
    table.group("Machine");
    table.add_integer("global-batch", "images per batch over all ranks", options_.global_batch, 1);
    add_device_option(table, options_.device);
    add_precision_option(table, options_.precision);
    add_threads_option(table, options_.threads);
    table.add_integer("workers", "threads of each rank that read and check images", options_.workers, 1,
                      1024);
  }

  void check(const OptionTable&) override {
    check_checkpoint_path(name(), options_.checkpoint);
    if (options_.data.empty()) fail(ExitCode::usage, "convoy evaluate: --data STORE is missing");
    check_precision(options_.device, options_.precision);
    if (!options_.predictions.empty()) check_output_file("predictions", options_.predictions);
  }

  ExitCode run(RankContext& context) override {
    const EvaluationResult result = evaluate_checkpoint(options_, context.communicator, context.log);
    if (context.communicator.rank() != 0) return ExitCode::done;
    if (json_) {
      const nlohmann::json object = {
          {"samples", result.samples}, {"loss", result.loss}, {"top1", result.top1}, {"top5", result.top5}};
      fmt::print("{}\n", object.dump());
    } else {
      fmt::print("{} images of {}: loss {:.4f}, top-1 {:.2f} %, top-5 {:.2f} %{}\n", result.samples,
                 options_.split, result.loss, 100 * result.top1, 100 * result.top5,
                 options_.ten_crop ? " (ten-crop)" : "");
    }
    return ExitCode::done;
  }

 private:
  EvaluationOptions options_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_evaluate_command() {
  return std::make_unique<EvaluateCommand>();
}

}  // namespace convoy
