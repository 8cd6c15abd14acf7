// Whole training steps on GPUs: images a second by network, precision and batch, with and without a recorded
// graph, beside the step's floor; Markdown. Under mpirun every rank takes a GPU and gradients meet in NCCL.
//   benchmark_gpu_step [--models alexnet,…] [--precisions bf16,…] [--batches 64,128,…] [--small]
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "arguments.hpp"
#include "device.hpp"
#include "model/networks.hpp"
#include "optimizer_argument.hpp"
#include "stepper.hpp"

namespace {

using namespace convoy;
using namespace convoy::gpu_benchmark;

struct Settings {
  std::string models = "alexnet,alexnet-owt,caffe-alexnet", precisions = "fp32,tf32,bf16,fp16",
              batches = "64,128,256,512,1024", optimizer = "sgd", wire = "fp32";
  int steps = 30, rounds = 5;
  bool deterministic = false, small = false;
};

WirePrecision parsed_wire(const std::string& name) {
  if (name == "fp32") return WirePrecision::fp32;
  if (name == "bf16") return WirePrecision::bf16;
  if (name == "fp16") return WirePrecision::fp16;
  fail(ExitCode::usage, "--wire-precision {}: fp32, bf16 or fp16", name);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class StepBenchmark {
 public:
  StepBenchmark(const Settings& settings, Communicator& communicator)
      : settings_(settings), communicator_(communicator), prints_(communicator.rank() == 0) {
    common_.device_index = device_of_rank(communicator);
    cuda::use_device(common_.device_index);
    common_.optimizer = parsed_optimizer(settings.optimizer);
    common_.wire = parsed_wire(settings.wire);
    common_.deterministic = settings.deterministic;
  }

  void run() {
    say("{} rank{}, {} steps a round, the median of {} rounds in alternation of graph and no graph; "
        "optimiser {}, "
        "algorithms {}, gradients travel as {}. Phases are of the run without graph, by the device's "
        "clock.\n\n",
        communicator_.size(), communicator_.size() == 1 ? "" : "s", settings_.steps, settings_.rounds,
        settings_.optimizer, settings_.deterministic ? "deterministic" : "by measurement", settings_.wire);
    say("| network | precision | batch a rank | images/s, graph | images/s, no graph | floor images/s | "
        "floor ÷ time | forward ms | backward ms | exposed ms | update ms | loss |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (const std::string& precision : split_list(settings_.precisions)) {
      common_.precision = parsed_precision(precision);
      const Hardware hardware = fair_hardware(device_facts(), common_.precision, settings_.small);
      for (const std::string& model : split_list(settings_.models)) {
        common_.model = model;
        for (const std::string& batch : split_list(settings_.batches)) {
          common_.batch = std::stoi(batch);
          row(hardware);
        }
      }
    }
  }

 private:
  template <typename... Arguments>
  void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    if (!prints_) return;
    fmt::print(format, std::forward<Arguments>(arguments)...);
    std::fflush(stdout);
  }

  void row(const Hardware& hardware) const {
    say("| `{}` | {} | {} |", common_.model, precision_name(common_.precision), common_.batch);
    try {
      measure(hardware);
    } catch (const Error& error) {
      // A batch that does not fit is a line of the table; with several ranks they may not agree on it.
      if (error.category() != ExitCode::device || communicator_.size() > 1) throw;
      say(" {} |\n", error.what());
    }
  }

  void measure(const Hardware& hardware) const {
    constexpr std::array graphs = {GraphUse::on, GraphUse::off};
    std::array<std::unique_ptr<Stepper>, 2> steppers;
    std::array<std::vector<double>, 2> seconds;
    for (std::size_t i = 0; i < graphs.size(); ++i) {
      StepperOptions options = common_;
      options.graph = graphs[i];
      steppers[i] = std::make_unique<Stepper>(options, communicator_);
      steppers[i]->run(settings_.small ? 3 : 10);  // warms up; a graph is recorded and replayed
      steppers[i]->take_phases();
    }
    for (int round = 0; round < settings_.rounds; ++round) {
      for (std::size_t i = 0; i < graphs.size(); ++i) {
        communicator_.barrier();
        double slowest = steppers[i]->run(settings_.steps);
        communicator_.maximum({&slowest, 1});
        seconds[i].push_back(slowest);
      }
    }
    report(hardware, *steppers[1], median(seconds[0]), median(seconds[1]));
  }

  void report(const Hardware& hardware, Stepper& plain, double graph_seconds, double plain_seconds) const {
    const PhaseSeconds phases = plain.take_phases();
    const Floor floor = step_floor(
        training_passes(plain.spec(), {.precision = common_.precision, .optimizer = common_.optimizer}),
        common_.batch, hardware);
    const double images = 1.0 * common_.batch * communicator_.size();
    const double samples = static_cast<double>(std::max<std::int64_t>(plain.last().metrics.samples, 1));
    say(" {:.0f} | {:.0f} | {:.0f} | {:.2f} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | {:.4f} |\n",
        images / graph_seconds, images / plain_seconds, images / floor.seconds,
        floor.seconds / std::min(graph_seconds, plain_seconds), phases.forward * 1e3, phases.backward * 1e3,
        phases.exposed * 1e3, phases.update * 1e3, plain.last().metrics.loss / samples);
  }

  Settings settings_;
  Communicator& communicator_;
  bool prints_;
  StepperOptions common_;
};

}  // namespace

int main(int argc, char** argv) {
  Communicator communicator(&argc, &argv);
  const int code = report_errors([&] {
    Settings settings;
    namespace po = boost::program_options;
    po::options_description options("benchmark_gpu_step: whole training steps on GPUs");
    options.add_options()("models", po::value(&settings.models)->default_value(settings.models),
                          "networks")                                                                      //
        ("precisions", po::value(&settings.precisions)->default_value(settings.precisions), "precisions")  //
        ("batches", po::value(&settings.batches)->default_value(settings.batches), "images of a rank")     //
        ("optimizer", po::value(&settings.optimizer)->default_value("sgd"), optimizer_choice().c_str())    //
        ("wire-precision", po::value(&settings.wire)->default_value("fp32"), "of gradients that travel")   //
        ("steps", po::value(&settings.steps)->default_value(settings.steps), "of a round")                 //
        ("rounds", po::value(&settings.rounds)->default_value(settings.rounds), "in alternation")          //
        ("deterministic", po::bool_switch(&settings.deterministic), "algorithms by rule")                  //
        ("small", po::bool_switch(&settings.small), "two steps of alexnet-mini, to see that it works");
    if (!read_arguments(options, argc, argv)) return;
    if (settings.small) {
      settings.models = "alexnet-mini", settings.batches = "2";
      settings.steps = 2, settings.rounds = 1;
    }
    StepBenchmark(settings, communicator).run();
  });
  if (code != 0 && communicator.size() > 1) communicator.abort(static_cast<ExitCode>(code));
  return code;
}
