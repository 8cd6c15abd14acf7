// Whole training steps on GPUs: images a second by network, precision and batch, with and without a recorded
// graph, beside the step's floor; Markdown. Under mpirun every rank takes a GPU and gradients meet in NCCL.
//   benchmark_gpu_step [--models alexnet,…] [--precisions bf16,…] [--batches 64,…] [--json FILE] [--small]
// --peer starts another framework's program for each row, which takes turns with Convoy round by round
// (peer.hpp); in its command {model}, {precision}, {batch} and {steps} stand for the row's:
//   benchmark_gpu_step --peer 'python3 benchmarks/peers/step_torch.py --turns --model {model} …'
#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/replace.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "base/clock.hpp"
#include "device.hpp"
#include "model/networks.hpp"
#include "optimizer_argument.hpp"
#include "peer.hpp"
#include "stepper.hpp"

namespace {

using namespace convoy;
using namespace convoy::benchmark;
using namespace convoy::gpu_benchmark;

struct Settings {
  std::string models = "alexnet,alexnet-owt,caffe-alexnet", precisions = "fp32,tf32,bf16,fp16",
              batches = "64,128,256,512,1024", optimizer = "sgd", wire = "fp32", json, peer;
  int steps = 30, rounds = 5;
  double peer_seconds = 60;
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

// What was measured of one network, precision and batch.
struct Row {
  bool graph = false;                                       // a step could be recorded
  std::vector<double> seconds_with_graph, seconds_without;  // a step's, one for each round
  std::map<std::string, std::vector<double>> peers;         // by mode
  std::string why;                                          // no peer, or no longer
  Json greeting = Json::object();
  double set_up = 0;  // seconds from nothing to a warm step
  PhaseSeconds phases;
  int phase_rounds = 0;

  void add_phases(const PhaseSeconds& more) {
    phases.forward += more.forward;
    phases.backward += more.backward;
    phases.exposed += more.exposed;
    phases.update += more.update;
    ++phase_rounds;
  }
  PhaseSeconds mean_phases() const {
    const double count = std::max(phase_rounds, 1);
    return {phases.forward / count, phases.backward / count, phases.exposed / count, phases.update / count};
  }
};

class StepBenchmark {
 public:
  StepBenchmark(const Settings& settings, Communicator& communicator)
      : settings_(settings),
        communicator_(communicator),
        prints_(communicator.rank() == 0),
        records_(settings.json) {
    if (!settings.peer.empty() && communicator.size() > 1)
      fail(ExitCode::usage, "--peer takes turns with one rank: start without mpirun");
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
        "floor ÷ time | forward ms | backward ms | exposed ms | update ms | loss | set-up s | peer images/s "
        "(Convoy ÷ "
        "peer) |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
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
    const Stopwatch watch;
    Stepper stepper(common_, communicator_);
    // The first step runs call by call, the next four record their graphs, the sixth replays one.
    const int warm_up = settings_.small ? 6 : 10;
    stepper.run(warm_up, true);  // the graph is recorded and replayed
    Row row;
    row.graph = stepper.replayed();
    stepper.run(settings_.small ? 1 : 3, false);
    row.set_up = watch.seconds();
    stepper.take_phases();
    const std::unique_ptr<Peer> peer = start_peer(row);
    for (int round = 0; round < settings_.rounds; ++round) {
      if (row.graph) row.seconds_with_graph.push_back(slowest(stepper, true));
      stepper.take_phases();
      row.seconds_without.push_back(slowest(stepper, false));
      row.add_phases(stepper.take_phases());
      if (peer) take_turn(row, *peer);
    }
    report(hardware, stepper, row);
  }

  // Seconds a step of one round, of the slowest rank.
  double slowest(Stepper& stepper, bool graph) const {
    communicator_.barrier();
    double seconds = stepper.run(settings_.steps, graph);
    communicator_.maximum({&seconds, 1});
    return seconds;
  }

  std::unique_ptr<Peer> start_peer(Row& row) const {
    if (settings_.peer.empty()) return nullptr;
    std::string command = settings_.peer;
    boost::replace_all(command, "{model}", common_.model);
    boost::replace_all(command, "{precision}", std::string(precision_name(common_.precision)));
    boost::replace_all(command, "{batch}", std::to_string(common_.batch));
    boost::replace_all(command, "{steps}", std::to_string(settings_.steps));
    auto peer = std::make_unique<Peer>(command);
    if (peer->wait_ready(settings_.peer_seconds)) {
      row.greeting = peer->greeting();
      return peer;
    }
    row.why = peer->why();
    return nullptr;
  }

  void take_turn(Row& row, Peer& peer) const {
    if (!row.why.empty()) return;
    for (const auto& [mode, seconds] : peer.measure(settings_.peer_seconds))
      row.peers[mode].push_back(seconds);
    row.why = peer.why();
  }

  void report(const Hardware& hardware, const Stepper& stepper, const Row& row) const {
    const Floor floor = step_floor(
        training_passes(stepper.spec(), {.precision = common_.precision, .optimizer = common_.optimizer}),
        common_.batch, hardware);
    const double images = 1.0 * common_.batch * communicator_.size();
    const double samples = static_cast<double>(std::max<std::int64_t>(stepper.last().metrics.samples, 1));
    const double loss = stepper.last().metrics.loss / samples;
    const PhaseSeconds phases = row.mean_phases();
    const double plain = median(row.seconds_without);
    const double best = row.graph ? std::min(plain, median(row.seconds_with_graph)) : plain;
    const std::string with_graph =
        row.graph ? fmt::format("{:.0f}", images / median(row.seconds_with_graph)) : "refused";
    std::string peers;
    if (!row.why.empty()) peers = (row.peers.empty() ? "none: " : "gave up: ") + row.why;
    for (const auto& [mode, seconds] : row.peers) {
      peers += fmt::format("{}{} {:.0f} ({:.2f})", peers.empty() ? "" : ", ", mode, images / median(seconds),
                           median(seconds) / best);
    }
    say(" {} | {:.0f} | {:.0f} | {:.2f} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | {:.4f} | {:.1f} | {} |\n",
        with_graph, images / plain, images / floor.seconds, floor.seconds / best, phases.forward * 1e3,
        phases.backward * 1e3, phases.exposed * 1e3, phases.update * 1e3, loss, row.set_up, peers);
    if (!prints_) return;
    Json more = {{"step_seconds", best},
                 {"graph", row.graph},
                 {"step_seconds_without_graph", plain},
                 {"floor_seconds", floor.seconds},
                 {"floor_share", floor.seconds / best},
                 {"forward_seconds", phases.forward},
                 {"backward_seconds", phases.backward},
                 {"exposed_seconds", phases.exposed},
                 {"update_seconds", phases.update},
                 {"set_up_seconds", row.set_up},
                 {"loss", loss}};
    if (row.graph) more["step_seconds_with_graph"] = median(row.seconds_with_graph);
    const std::string id = fmt::format("step/{}/{}/{}{}/", common_.model, precision_name(common_.precision),
                                       common_.batch, rank_suffix());
    records_.entry(id + "convoy", images / best, "images/s", "higher", more);
    for (const auto& [mode, seconds] : row.peers) {
      records_.entry(id + "peer-" + mode, images / median(seconds), "images/s", "higher",
                     {{"step_seconds", median(seconds)},
                      {"convoy_step_seconds", best},
                      {"convoy_speed_ratio", median(seconds) / best},
                      {"what", row.greeting.value("what", "")}});
    }
    const Json refused = row.greeting.value("refused", Json::object());
    for (const auto& [mode, reason] : refused.items())
      records_.add({{"kind", "note"}, {"text", id + "peer-" + mode + ": " + reason.get<std::string>()}});
    if (!row.why.empty()) records_.add({{"kind", "note"}, {"text", id + "peer: " + row.why}});
  }

  // Results on several GPUs, or with deterministic algorithms, are entries of their own.
  std::string rank_suffix() const {
    std::string text =
        communicator_.size() > 1 ? fmt::format("x{}-{}", communicator_.size(), settings_.wire) : "";
    if (settings_.deterministic) text += "-deterministic";
    if (settings_.optimizer != "sgd") text += "-" + settings_.optimizer;
    return text;
  }

  Settings settings_;
  Communicator& communicator_;
  bool prints_;
  Records records_;
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
        ("peer", po::value(&settings.peer),
         "command of a program that takes turns, with {model}, {precision}, {batch}, {steps}")  //
        ("peer-seconds", po::value(&settings.peer_seconds)->default_value(settings.peer_seconds),
         "wait for it so long")                                                            //
        ("deterministic", po::bool_switch(&settings.deterministic), "algorithms by rule")  //
        ("small", po::bool_switch(&settings.small), "two steps of alexnet-mini, to see that it works");
    add_json_option(options, settings.json);
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
