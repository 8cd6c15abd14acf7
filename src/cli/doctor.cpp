#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "cli/commands.hpp"
#include "comm/mpi_collective.hpp"
#include "device/cpu/cpu_facts.hpp"
#include "device/cuda_devices.hpp"
#include "engine/device_plan.hpp"
#include "engine/engine.hpp"
#include "train/agreement.hpp"

namespace convoy {
namespace {

constexpr std::size_t probe_elements = 4 << 20;  // 16 MiB of float32, about a gradient bucket

// The report of one rank.
std::string rank_line(const Communicator& communicator, const CudaDevices& gpus) {
  utsname system{};
  uname(&system);
  const std::optional<double> quota = cpu_quota();
  return fmt::format(
      "rank {}: host {}, {} usable core(s) of {}{}, sees {} GPU(s), process {}", communicator.rank(),
      system.nodename, usable_cores(), std::thread::hardware_concurrency(),
      quota ? fmt::format(" (limited to the time of {:.4g})", *quota) : "", gpus.devices.size(), getpid());
}

// The device that each rank would use, or the reason why the GPUs cannot be assigned to ranks. Collective.
std::vector<std::string> device_lines(Communicator& communicator) {
  try {
    const DevicePlan plan = plan_device(DeviceKind::automatic, communicator);
    return communicator.gather_texts(fmt::format("rank {}: {}", communicator.rank(), plan.description));
  } catch (const Error& error) {  // the same on every rank
    return {error.what()};
  }
}

void print_gpus(const CudaDevices& gpus, const std::vector<std::string>& plan) {
  fmt::print("\nGPUs that rank 0 sees\n");
  if (!gpus.versions.empty()) fmt::print("  libraries       {}; {}\n", gpus.versions, gpus.driver);
  if (!gpus.refusal.empty()) fmt::print("  none            {}\n", gpus.refusal);
  for (const CudaDevice& gpu : gpus.devices)
    fmt::print("  {:<15} {} ({}), compute capability {}.{}, {:.1f} of {:.1f} GiB free\n", gpu.index, gpu.name,
               gpu.uuid, gpu.major, gpu.minor, static_cast<double>(gpu.free_memory) / (1 << 30),
               static_cast<double>(gpu.memory) / (1 << 30));
  fmt::print("\nWith --device auto\n");
  for (const std::string& line : plan) fmt::print("  {}\n", line);
}

void print_machine() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const double memory = static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
  fmt::print("\nMachine of rank 0\n  memory          {:.1f} GiB\n  CPU             {}\n", memory / (1 << 30),
             vector_instruction_names());
  for (const auto& [precision, name] :
       {std::pair{Precision::tf32, "tf32"}, {Precision::bf16, "bf16"}, {Precision::fp16, "fp16"}}) {
    const std::string refusal = precision_refusal(DeviceKind::automatic, precision);
    fmt::print("  {:<15} {}\n", name, refusal.empty() ? "available" : refusal);
  }
}

// Seconds of one all-reduce of the probe buffer, the best of a few.
double probe_all_reduce(Communicator& communicator) {
  const std::unique_ptr<Collective> collective = make_mpi_collective(communicator, false);
  std::vector<float> values(probe_elements, 1.0F);
  double best = 1e30;
  for (int attempt = 0; attempt < 5; ++attempt) {
    communicator.barrier();
    const Stopwatch watch;
    collective->start(values);
    collective->finish_next();
    double seconds = watch.seconds();
    communicator.maximum({&seconds, 1});
    best = std::min(best, seconds);
  }
  return best;
}

class DoctorCommand : public Command {
 public:
  std::string_view name() const override { return "doctor"; }
  std::string_view summary() const override { return "report the machine, its libraries, ranks and GPUs"; }
  std::string_view description() const override {
    return R"(Prints the ranks with their hosts and cores, the GPUs (or why there is none) and which rank would use which,
the precisions, the libraries and their versions, the threading level of MPI, and the speed of summing a
buffer of 16 MiB over the ranks. Start it in the same way as the training to check that the launcher does
what you intend.)";
  }
  std::string_view example() const override { return "  convoy doctor\n  launch/mpirun hosts.txt doctor"; }
  void declare(OptionTable& options) override {
    options.add_flag("count-gpus", "print only the number of GPUs that rank 0 can use (for scripts)",
                     count_only_);
    options.add_flag(
        "count-cores",
        "print only the number of threads that rank 0 can run at once: its cores, or less where a "
        "container limits its CPU time (for scripts)",
        count_cores_);
  }

  ExitCode run(RankContext& context) override {
    Communicator& communicator = context.communicator;
    if (count_only_) {
      if (communicator.rank() == 0) fmt::print("{}\n", find_cuda_devices().devices.size());
      return ExitCode::done;
    }
    if (count_cores_) {
      if (communicator.rank() == 0) fmt::print("{}\n", concurrent_threads());
      return ExitCode::done;
    }
    const CudaDevices gpus = find_cuda_devices(communicator.rank() == 0);
    const std::vector<std::string> ranks = communicator.gather_texts(rank_line(communicator, gpus));
    const std::vector<std::string> plan = device_lines(communicator);
    const auto versions = library_versions(communicator, DeviceKind::cpu);
    const double seconds = communicator.size() > 1 ? probe_all_reduce(communicator) : 0;
    if (communicator.rank() != 0) return ExitCode::done;
    fmt::print("Ranks: {} on {} host(s)\n", communicator.size(), communicator.nodes());
    for (const std::string& line : ranks) fmt::print("  {}\n", line);
    print_machine();
    print_gpus(gpus, plan);
    fmt::print("\nLibraries\n");
    for (const auto& [name, version] : versions) fmt::print("  {:<15} {}\n", name, version);
    fmt::print("\nMPI\n  threads         {}\n",
               communicator.thread_multiple()
                   ? "any thread may call MPI (MPI_THREAD_MULTIPLE)"
                   : "one thread at a time (no MPI_THREAD_MULTIPLE): no communication thread");
    if (communicator.size() == 1) {
      fmt::print("  all-reduce      one rank: nothing to measure (start with launch/local or mpirun)\n");
    } else {
      // Bus bandwidth: what each rank sends and receives in a ring, 2 (R − 1) / R times the buffer.
      const double bytes = static_cast<double>(probe_elements) * sizeof(float);
      const double ranks_count = communicator.size();
      fmt::print("  all-reduce      16 MiB in {:.2f} ms: {:.2f} GB/s per rank (bus bandwidth)\n",
                 seconds * 1e3, bytes * 2 * (ranks_count - 1) / ranks_count / seconds / 1e9);
    }
    return ExitCode::done;
  }

 private:
  bool count_only_ = false, count_cores_ = false;
};

}  // namespace

std::unique_ptr<Command> make_doctor_command() {
  return std::make_unique<DoctorCommand>();
}

}  // namespace convoy
