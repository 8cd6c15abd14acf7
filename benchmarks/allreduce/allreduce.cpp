// How fast gradients are summed over ranks: Convoy's collective against MPI_Allreduce and MPI_Iallreduce for
// several bucket sizes, beside a plain memcpy of the same buffer. Run it under mpirun:
//
//   mpirun -n 2 benchmark_allreduce [MEGABYTES] [REPETITIONS]
//
// Bus bandwidth is 2 (P-1)/P × bytes ÷ seconds, what each rank must send and receive at the least (as
// nccl-tests define it). The best repetition counts: others share the machine.
#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "comm/communicator.hpp"
#include "comm/mpi_collective.hpp"

namespace {

using convoy::Collective;
using convoy::Communicator;

void check(int code) {
  if (code != MPI_SUCCESS) convoy::fail(convoy::ExitCode::device, "MPI failed with code {}", code);
}

// Calls `work` for consecutive buckets of the buffer.
void for_each_bucket(std::span<float> buffer, std::size_t elements,
                     const std::function<void(std::span<float>)>& work) {
  for (std::size_t begin = 0; begin < buffer.size(); begin += elements)
    work(buffer.subspan(begin, std::min(elements, buffer.size() - begin)));
}

void blocking(std::span<float> buffer, std::size_t bucket) {
  for_each_bucket(buffer, bucket, [](std::span<float> slice) {
    check(MPI_Allreduce(MPI_IN_PLACE, slice.data(), static_cast<int>(slice.size()), MPI_FLOAT, MPI_SUM,
                        MPI_COMM_WORLD));
  });
}

void non_blocking(std::span<float> buffer, std::size_t bucket) {
  std::vector<MPI_Request> requests;
  for_each_bucket(buffer, bucket, [&](std::span<float> slice) {
    requests.push_back(MPI_REQUEST_NULL);
    check(MPI_Iallreduce(MPI_IN_PLACE, slice.data(), static_cast<int>(slice.size()), MPI_FLOAT, MPI_SUM,
                         MPI_COMM_WORLD, &requests.back()));
  });
  check(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE));
}

void by_collective(Collective& collective, std::span<float> buffer, std::size_t bucket) {
  int started = 0;
  for_each_bucket(buffer, bucket, [&](std::span<float> slice) {
    collective.start(slice);
    ++started;
  });
  for (; started > 0; --started) collective.finish_next();
}

// Seconds of the best repetition, that of the slowest rank.
double best_of(int repetitions, Communicator& communicator, const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i <= repetitions; ++i) {  // the first warms up
    communicator.barrier();
    const convoy::Stopwatch watch;
    work();
    double seconds = watch.seconds();
    communicator.maximum(std::span(&seconds, 1));
    if (i > 0) best = std::min(best, seconds);
  }
  return best;
}

int run(Communicator& communicator, int argc, char** argv) {
  const double megabytes = argc > 1 ? std::atof(argv[1]) : 240;
  const int repetitions = argc > 2 ? std::atoi(argv[2]) : 5;
  std::vector<float> buffer(static_cast<std::size_t>(megabytes * 1e6 / sizeof(float)), 1.0F);
  std::vector<float> copy(buffer.size());
  const double bytes = static_cast<double>(buffer.size() * sizeof(float));
  const double ranks = communicator.size();
  const double bus_bytes = communicator.size() > 1 ? 2 * (ranks - 1) / ranks * bytes : bytes;

  const double memcpy_seconds =
      best_of(repetitions, communicator, [&] { std::memcpy(copy.data(), buffer.data(), buffer.size() * 4); });
  const bool prints = communicator.rank() == 0;
  if (prints) {
    fmt::print("{}, {} ranks, {:.0f} MB\nmemcpy (all ranks at once): {:.2f} GB/s\n", communicator.library(),
               communicator.size(), bytes / 1e6, bytes / memcpy_seconds / 1e9);
    fmt::print("{:>12} {:>16} {:>10} {:>10}\n", "bucket MiB", "how", "ms", "GB/s bus");
  }
  const auto progressed = convoy::make_mpi_collective(communicator, false);
  const auto threaded = convoy::make_mpi_collective(communicator, true);
  for (const std::size_t mebibytes : {1, 4, 16, 64, 1024}) {
    const std::size_t bucket = mebibytes * 262144;
    const auto report = [&](const char* how, const std::function<void()>& work) {
      std::fill(buffer.begin(), buffer.end(), 0.0F);
      const double seconds = best_of(repetitions, communicator, work);
      if (prints)
        fmt::print("{:>12} {:>16} {:>10.1f} {:>10.2f}\n", mebibytes, how, seconds * 1e3,
                   bus_bytes / seconds / 1e9);
    };
    report("MPI_Allreduce", [&] { blocking(buffer, bucket); });
    report("MPI_Iallreduce", [&] { non_blocking(buffer, bucket); });
    report("convoy", [&] { by_collective(*progressed, buffer, bucket); });
    report("convoy, thread", [&] { by_collective(*threaded, buffer, bucket); });
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Communicator communicator(&argc, &argv);
  try {
    return run(communicator, argc, argv);
  } catch (const convoy::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    communicator.abort(error.category());
  }
}
