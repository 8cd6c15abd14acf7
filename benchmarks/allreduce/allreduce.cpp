// How fast gradients are summed over ranks, by size, in the words of nccl-tests: by MPI in host memory
// (Convoy's own sum, with and without a thread of its own, and MPI_Allreduce), or by NCCL between GPUs.
//
//   mpirun -n 2 benchmark_allreduce
//   mpirun -n 4 benchmark_allreduce --min-bytes 1M --max-bytes 64M --factor 2 --how convoy --json sums.json
//   CONVOY=build/benchmarks/allreduce/benchmark_allreduce launch/mpirun HOSTFILE allreduce --gradient 244M
//
// The launch scripts start a command with a name: a first word `allreduce` is accepted for them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "arguments.hpp"
#include "base/atomic_file.hpp"
#include "base/clock.hpp"
#include "engine/device_plan.hpp"
#include "settings/values.hpp"
#include "sum_check.hpp"
#include "sum_table.hpp"
#include "sum_way.hpp"

namespace {

using namespace convoy;
using namespace convoy::benchmark;

struct Settings {
  std::string least = "1K", most = "256M", transport = "auto", how, wire = "fp32", gradient, json;
  int factor = 4, warm_up = 5, iterations = 20, rounds = 5;
  double seconds = 2;
};

// "64M", as nccl-tests reads it: K, M and G are powers of 1024.
std::size_t size_of(std::string text, const char* option) {
  if (!text.empty() && std::string_view("KMG").find(text.back()) != std::string_view::npos) text += "iB";
  try {
    const std::size_t bytes = parse_bytes(text);
    if (bytes < 4 || bytes > std::size_t{4} << 30)
      fail(ExitCode::usage, "{} is not between 4 B and 4 GiB", text);
    return bytes / 4 * 4;
  } catch (const Error& error) {
    fail(ExitCode::usage, "--{}: {}", option, error.what());
  }
}

class AllreduceBenchmark {
 public:
  AllreduceBenchmark(const Settings& settings, Communicator& communicator)
      : settings_(settings),
        communicator_(communicator),
        leads_(communicator.rank() == 0),
        wire_(parse_word(settings.wire, wire_words())) {
    if (settings.factor < 2) fail(ExitCode::usage, "--factor: sizes grow by a factor of at least 2");
    if (settings.warm_up < 0 || settings.iterations < 1 || settings.rounds < 1)
      fail(ExitCode::usage, "--iterations and --rounds are at least 1, --warm-up at least 0");
    results_.element_bytes = wire_ == WirePrecision::fp32 ? 4 : 2;
    plan_sizes();
    make_ways();
    results_.convoy = CONVOY_VERSION;
    results_.library = communicator.library();
    results_.type = wire_ == WirePrecision::fp32   ? "float"
                    : wire_ == WirePrecision::bf16 ? "bfloat16"
                                                   : "half";
    results_.ranks = communicator.size();
    results_.hosts = communicator.nodes();
  }

  // Returns whether every sum was right.
  bool run() {
    print("{}", table_head(results_, "sums of float32 over all ranks"));
    for (const std::unique_ptr<SumWay>& way : ways_)
      for (const std::size_t bytes : sizes_) add(results_.rows, *way, bytes, bytes);
    if (!settings_.gradient.empty()) {
      print("{}", table_head(results_, fmt::format("a gradient of {} bytes in buckets of each size",
                                                   results_.gradient_bytes)));
      for (const std::unique_ptr<SumWay>& way : ways_)
        for (const std::size_t bytes : sizes_) {
          add(results_.gradient, *way, std::min(bytes, results_.gradient_bytes), results_.gradient_bytes);
          if (bytes >= results_.gradient_bytes) break;  // one bucket
        }
    }
    const std::size_t wrong = wrong_elements();
    print("# wrong elements: {}\n", wrong);
    if (communicator_.size() == 1) print("# one rank: nothing was sent\n");
    if (!settings_.json.empty())
      communicator_.on_rank_zero([&] {
        write_file_atomically(settings_.json, to_json(results_).dump(1) + "\n");
        return std::string();
      });
    return wrong == 0;
  }

 private:
  template <typename... Values>
  void print(fmt::format_string<Values...> format, Values&&... values) const {
    if (!leads_) return;
    fmt::print(format, std::forward<Values>(values)...);
    std::fflush(stdout);
  }

  void plan_sizes() {
    const std::size_t least = size_of(settings_.least, "min-bytes"),
                      most = size_of(settings_.most, "max-bytes");
    if (least > most) fail(ExitCode::usage, "--min-bytes is more than --max-bytes");
    for (std::size_t bytes = least; bytes <= most; bytes *= static_cast<std::size_t>(settings_.factor))
      sizes_.push_back(bytes);
    largest_ = sizes_.back();
    if (settings_.gradient.empty()) return;
    results_.gradient_bytes = size_of(settings_.gradient, "gradient");
    largest_ = std::max(largest_, results_.gradient_bytes);
  }

  void make_ways() {
    const CollectiveKind kind = parse_word(settings_.transport, collective_words());
    const DeviceKind asked = kind == CollectiveKind::mpi    ? DeviceKind::cpu
                             : kind == CollectiveKind::nccl ? DeviceKind::cuda
                                                            : DeviceKind::automatic;
    const DevicePlan device = plan_device(asked, communicator_);
    WayOptions options;
    if (!settings_.how.empty()) options.hows = benchmark::split_list(settings_.how);
    options.elements = largest_ / results_.element_bytes;
    options.wire = wire_;
    const bool on_gpu = device.kind == DeviceKind::cuda;
    ways_ =
        on_gpu ? make_gpu_ways(communicator_, options, device.index) : make_mpi_ways(communicator_, options);
    results_.transport = on_gpu ? "nccl" : "mpi";
    results_.device = device.description;
    values_.resize(options.elements);
  }

  void add(std::vector<SumRow>& rows, SumWay& way, std::size_t bytes, std::size_t whole) {
    SumRow row{.how = way.how(), .bytes = bytes, .whole = whole};
    const std::size_t elements = whole / results_.element_bytes, bucket = bytes / results_.element_bytes;
    row.wrong = check(way, elements, bucket);
    row.time = measure(way, elements, bucket);
    print("{}", table_line(results_, row));
    rows.push_back(std::move(row));
  }

  // Wrong elements of one sum, on all ranks together.
  std::size_t check(SumWay& way, std::size_t elements, std::size_t bucket) {
    const std::span<float> values = std::span(values_).first(elements);
    fill_with_own_values(communicator_.rank(), values);
    way.write(values);
    way.sum(elements, bucket);
    way.wait();
    way.read(values);
    auto wrong = static_cast<std::int64_t>(count_wrong(values, communicator_.size(), wire_));
    communicator_.sum(std::span(&wrong, 1));
    // Zeros remain zeros, however often they are summed.
    std::ranges::fill(values, 0.0F);
    way.write(values);
    return static_cast<std::size_t>(wrong);
  }

  // Seconds of one sum, by the slowest rank, as a mean over `sums` in a row.
  double time_round(SumWay& way, std::size_t elements, std::size_t bucket, int sums) {
    way.wait();
    communicator_.barrier();
    const Stopwatch watch;
    for (int i = 0; i < sums; ++i) way.sum(elements, bucket);
    way.wait();
    double seconds = watch.seconds() / sums;
    communicator_.maximum(std::span(&seconds, 1));
    return seconds;
  }

  // Fewer than --warm-up and --iterations where they would take longer than --seconds.
  SumTime measure(SumWay& way, std::size_t elements, std::size_t bucket) {
    double once = time_round(way, elements, bucket, 1);
    const int warm_up = static_cast<int>(std::min<double>(settings_.warm_up, settings_.seconds / 4 / once));
    if (warm_up > 0) once = time_round(way, elements, bucket, warm_up);
    const double affordable = std::floor(settings_.seconds / settings_.rounds / std::max(once, 1e-9));
    const int sums = static_cast<int>(std::clamp<double>(affordable, 1, settings_.iterations));
    std::vector<double> rounds;
    for (int round = 0; round < settings_.rounds; ++round)
      rounds.push_back(time_round(way, elements, bucket, sums));
    return time_of(std::move(rounds));
  }

  std::size_t wrong_elements() const {
    std::size_t wrong = 0;
    for (const std::vector<SumRow>* rows : {&results_.rows, &results_.gradient})
      for (const SumRow& row : *rows) wrong += row.wrong;
    return wrong;
  }

  Settings settings_;
  Communicator& communicator_;
  bool leads_;
  WirePrecision wire_;
  SumResults results_;
  std::vector<std::size_t> sizes_;
  std::size_t largest_ = 0;
  std::vector<std::unique_ptr<SumWay>> ways_;
  std::vector<float> values_;
};

// Empty where --help was asked for and printed.
std::optional<Settings> parse(int argc, char** argv, bool leads) {
  namespace po = boost::program_options;
  Settings settings;
  if (argc > 1 && std::string_view(argv[1]) == "allreduce") ++argv, --argc;
  po::options_description options(
      "benchmark_allreduce: sums over ranks by size; K, M and G are powers of 1024");
  options.add_options()("min-bytes", po::value(&settings.least)->default_value(settings.least),
                        "smallest sum")                                                                     //
      ("max-bytes", po::value(&settings.most)->default_value(settings.most), "largest sum")                 //
      ("factor", po::value(&settings.factor)->default_value(settings.factor), "from one size to the next")  //
      ("transport", po::value(&settings.transport)->default_value(settings.transport),
       "mpi, nccl, or auto: nccl if every rank has a GPU")  //
      ("how", po::value(&settings.how),
       "by MPI: convoy, convoy-thread, mpi_allreduce; between GPUs: nccl [all of the transport]")       //
      ("wire", po::value(&settings.wire)->default_value(settings.wire), "by NCCL: fp32, bf16 or fp16")  //
      ("gradient", po::value(&settings.gradient),
       "also sum so many bytes in buckets of each size, all under way at the same time")  //
      ("warm-up", po::value(&settings.warm_up)->default_value(settings.warm_up),
       "sums before those that count")  //
      ("iterations", po::value(&settings.iterations)->default_value(settings.iterations),
       "sums of a round")  //
      ("rounds", po::value(&settings.rounds)->default_value(settings.rounds),
       "rounds, whose median counts")  //
      ("seconds", po::value(&settings.seconds)->default_value(settings.seconds),
       "about the most for a line: fewer sums where it would take longer")  //
      ("json", po::value(&settings.json), "write the results to this file");
  if (!read_arguments(options, argc, argv, leads)) return std::nullopt;
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  Communicator communicator(&argc, &argv);
  const bool leads = communicator.rank() == 0;
  bool right = true;
  const int code = report_errors(
      [&] {
        const std::optional<Settings> settings = parse(argc, argv, leads);
        if (settings) right = AllreduceBenchmark(*settings, communicator).run();
      },
      leads);
  if (code != 0 && communicator.size() > 1) communicator.abort(static_cast<ExitCode>(code));
  return code != 0 || right ? code : static_cast<int>(ExitCode::device);
}
