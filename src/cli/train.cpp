#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "cli/commands.hpp"
#include "cli/train_options.hpp"
#include "report/metrics_file.hpp"
#include "report/predictions_file.hpp"
#include "report/progress_line.hpp"
#include "report/records.hpp"
#include "report/run_file.hpp"
#include "settings/check.hpp"
#include "train/trainer.hpp"

namespace convoy {
namespace {

class TrainCommand : public Command {
 public:
  std::string_view name() const override { return "train"; }
  std::string_view summary() const override { return "train a network on a store"; }
  std::string_view description() const override {
    return R"(Trains the network of a recipe on a store. Started by itself it runs one rank; under launch/local,
launch/mpirun, mpirun or srun every rank trains a replica on its share of each global batch, and all replicas
stay equal. On SIGUSR1, SIGINT, SIGTERM or SIGHUP it saves a checkpoint and exits with code 75; --resume auto
then resumes where it stopped. Every option may also be set in the configuration file, as key = value.)";
  }
  std::string_view example() const override {
    return R"(  launch/local train --config configs/owt.cfg --data /data/imagenet --output runs/owt --resume auto
  convoy train --config configs/quickstart.cfg --data runs/quickstart/store --output runs/try --lr 0.02)";
  }
  bool answers_stop() const override { return true; }
  // MPI by itself takes some seconds to connect the ranks.
  double start_patience() const override {
    return configuration_.watchdog_seconds > 0 ? configuration_.watchdog_seconds + 5 : 0;
  }
  bool must_print() const override { return false; }  // the output folder holds the result

  void declare(OptionTable& table) override { declare_train_options(table, configuration_); }

  void check(const OptionTable& table) override {
    const std::string recipe_batch = table.configured("global-batch");
    if (configuration_.recipe_batch == 0 && !recipe_batch.empty())
      configuration_.recipe_batch = parse_integer(recipe_batch, 1, std::numeric_limits<std::int64_t>::max());
    check_configuration(configuration_);
  }

  ExitCode run(RankContext& context) override {
    const TrainingResult result = train(context);
    // The progress line has ended. All ranks have the same result; errors are printed by each.
    if (context.communicator.rank() != 0) return result.code;
    if (result.code == ExitCode::diverged)
      context.log.error("{}", result.text);
    else if (context.log.writes(LogLevel::info))
      context.log.info("{}", result.text);
    else
      std::cout << result.text << std::endl;  // also with --quiet
    return result.code;
  }

 private:
  TrainingResult train(RankContext& context) const {
    std::optional<ProgressLine> progress;
    MetricsFile metrics(configuration_.output, context.log);
    RunFile run_file(configuration_.output, context.log);
    PredictionsFile predictions(configuration_.output, context.log);
    std::vector<Observer*> observers = {&run_file, &metrics, &predictions};
    if (context.log.writes(LogLevel::info))
      observers.push_back(&progress.emplace(
          std::cout,
          ProgressStyle{.live = can_redraw(Stream::output), .colour = shows_colour(Stream::output)},
          context.log));
    const std::vector<std::unique_ptr<Observer>> records = requested_records(configuration_, context.log);
    for (const std::unique_ptr<Observer>& record : records) observers.push_back(record.get());
    return run_training(configuration_, context.communicator, context.log, observers, context.stop_requested,
                        context.startup);
  }

  TrainConfiguration configuration_;
};

}  // namespace

std::unique_ptr<Command> make_train_command() {
  return std::make_unique<TrainCommand>();
}

}  // namespace convoy
