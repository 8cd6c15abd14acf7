// How fast NCCL sums a gradient of `alexnet` over all ranks' GPUs, by bucket size: Markdown. Run it under
// mpirun.
//   mpirun -n GPUS benchmark_gpu_collective [--wire-precisions fp32,bf16] [--json FILE] [--small]
// Bus bandwidth is 2 (P − 1)/P × bytes ÷ seconds, what each rank must send and receive at the least (as
// nccl-tests define it); bytes are those that travel.
#include "comm/collective.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "arguments.hpp"
#include "base/clock.hpp"
#include "engine/engine.hpp"
#include "model/networks.hpp"
#include "records.hpp"
#include "stepper.hpp"

namespace {

using namespace convoy;
using namespace convoy::benchmark;
using namespace convoy::gpu_benchmark;

struct Settings {
  std::string wires = "fp32,bf16", json;
  bool small = false;
};

// Sums the whole gradient once in buckets, without waiting for the device.
void sum_once(Collective& collective, std::span<float> gradient, const std::vector<Bucket>& buckets) {
  for (const Bucket& bucket : buckets)
    collective.start(gradient.subspan(bucket.begin, bucket.end - bucket.begin));
  for (std::size_t i = 0; i < buckets.size(); ++i) collective.finish_next();
}

class CollectiveBenchmark {
 public:
  CollectiveBenchmark(const Settings& settings, Communicator& communicator)
      : settings_(settings), communicator_(communicator), device_(device_of_rank(communicator)) {
    const NetSpec spec = make_network(settings.small ? "alexnet-mini" : "alexnet");
    ReplicaOptions options;
    options.device = DeviceKind::cuda;
    options.device_index = device_;
    replica_ = make_training_replica(
        spec, {.stored_side = spec.stored_side, .crop_side = spec.input.height, .mean = {124, 117, 104}},
        options);
    replica_->write_gradients(std::vector<float>(replica_->table().size()));
  }

  void run() {
    const std::span<float> gradient = replica_->gradient_memory();
    if (communicator_.rank() == 0) {
      fmt::print("{} ranks, gradient of {:.0f} MB\n\n", communicator_.size(),
                 static_cast<double>(gradient.size_bytes()) / 1e6);
      fmt::print("| wire | bucket MiB | buckets | ms | GB/s bus |\n|---|---|---|---|---|\n");
    }
    for (const std::string& wire : split_list(settings_.wires)) {
      for (const std::size_t mebibytes : {1, 2, 4, 8, 16, 32, 64, 256}) {
        measure(wire, mebibytes);
        if (mebibytes << 20 >= gradient.size_bytes()) break;  // one bucket
      }
    }
  }

 private:
  void measure(const std::string& wire, std::size_t mebibytes) {
    const std::span<float> gradient = replica_->gradient_memory();
    const std::vector<Bucket> buckets = plan_buckets(gradient.size(), mebibytes << 20);
    CollectiveOptions options;
    options.wire = wire == "bf16"   ? WirePrecision::bf16
                   : wire == "fp16" ? WirePrecision::fp16
                                    : WirePrecision::fp32;
    options.compute = replica_->compute_stream();
    options.device_index = device_;
    options.gradient = gradient;
    for (const Bucket& bucket : buckets)
      options.largest_slice = std::max(options.largest_slice, bucket.end - bucket.begin);
    const std::unique_ptr<Collective> collective = make_collective(communicator_, options);
    collective->connect();
    const double seconds = median_seconds([&] { sum_once(*collective, gradient, buckets); });
    const double ranks = communicator_.size();
    const double bytes = static_cast<double>(gradient.size()) * (options.wire == WirePrecision::fp32 ? 4 : 2);
    if (communicator_.rank() == 0) {
      fmt::print("| {} | {} | {} | {:.3f} | {:.1f} |\n", wire, mebibytes, buckets.size(), seconds * 1e3,
                 2 * (ranks - 1) / ranks * bytes / seconds / 1e9);
      Records(settings_.json)
          .entry(fmt::format("collective/x{}/{}/{}", communicator_.size(), wire, mebibytes),
                 2 * (ranks - 1) / ranks * bytes / seconds / 1e9, "GB/s", "higher", {{"seconds", seconds}});
    }
  }

  // Of one sum: the median of rounds of several sums in a row, each round that of the slowest rank.
  double median_seconds(const std::function<void()>& sum) {
    const int rounds = settings_.small ? 1 : 9, sums = settings_.small ? 1 : 10;
    std::vector<double> samples;
    for (int round = -2; round < rounds; ++round) {
      if (settings_.small && round < 0) continue;
      replica_->synchronise();
      communicator_.barrier();
      const Stopwatch watch;
      for (int i = 0; i < sums; ++i) sum();
      replica_->synchronise();
      double seconds = watch.seconds() / sums;
      communicator_.maximum({&seconds, 1});
      if (round >= 0) samples.push_back(seconds);
    }
    std::sort(samples.begin(), samples.end());
    return samples[samples.size() / 2];
  }

  Settings settings_;
  Communicator& communicator_;
  int device_;
  std::unique_ptr<TrainingReplica> replica_;
};

}  // namespace

int main(int argc, char** argv) {
  Communicator communicator(&argc, &argv);
  const int code = report_errors([&] {
    Settings settings;
    namespace po = boost::program_options;
    po::options_description options("benchmark_gpu_collective: gradient sums over GPUs");
    options.add_options()("wire-precisions", po::value(&settings.wires)->default_value(settings.wires),
                          "fp32, bf16, fp16")  //
        ("small", po::bool_switch(&settings.small), "a small gradient, to see that it works");
    add_json_option(options, settings.json);
    if (read_arguments(options, argc, argv)) CollectiveBenchmark(settings, communicator).run();
  });
  if (code != 0 && communicator.size() > 1) communicator.abort(static_cast<ExitCode>(code));
  return code;
}
