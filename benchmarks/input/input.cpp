// How fast the loader delivers batches of a store when nothing computes, beside reading the same number of
// bytes with plain sequential reads (both from the page cache after the first pass).
//   build/benchmarks/input/benchmark_input STORE [WORKERS [BATCH [CROP]]]
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "data/loader.hpp"

namespace convoy {
namespace {

// Bytes a second of reading every shard of the split from front to back.
double sequential_rate(const Store& store) {
  std::vector<std::byte> buffer(std::size_t{4} << 20);
  double bytes = 0;
  const Stopwatch watch;
  for (const ShardEntry& shard : store.split("train").shards) {
    const FileDescriptor file = open_file(store.folder / shard.file, O_RDONLY);
    std::uint64_t end = 0;
    while (const std::size_t count = file.read_at(end, buffer)) end += count;
    bytes += static_cast<double>(end);
  }
  return bytes / watch.seconds();
}

// Images a second of one epoch.
double loader_rate(const Store& store, int workers, int batch, int crop) {
  LoaderOptions options;
  options.global_batch = batch;
  options.workers = workers;
  options.crop_side = crop;
  options.augmentation.mirror = true;
  options.augmentation.crop = crop < store.image_size;
  Loader loader(store, options);
  const std::int64_t steps = loader.plan().steps_per_epoch();
  const Stopwatch watch;
  for (std::int64_t step = 0; step < steps; ++step) loader.next();
  return static_cast<double>(store.split("train").images) / watch.seconds();
}

int run(int argc, char** argv) {
  if (argc < 2) fail(ExitCode::usage, "usage: {} STORE [WORKERS [BATCH [CROP]]]", argv[0]);
  const Store store = parse_store(read_store_text(argv[1]), argv[1]);
  const int workers = argc > 2 ? std::atoi(argv[2]) : 2, batch = argc > 3 ? std::atoi(argv[3]) : 128;
  const int crop = argc > 4 ? std::atoi(argv[4]) : store.image_size;
  sequential_rate(store);
  const double image_bytes = 3.0 * store.image_size * store.image_size;
  for (int round = 0; round < 3; ++round) {
    const double loader = loader_rate(store, workers, batch, crop),
                 plain = sequential_rate(store) / image_bytes;
    std::printf("loader %.0f images/s with %d workers, plain reading %.0f images/s, ratio %.2f\n", loader,
                workers, plain, loader / plain);
  }
  return 0;
}

}  // namespace
}  // namespace convoy

int main(int argc, char** argv) {
  try {
    return convoy::run(argc, argv);
  } catch (const convoy::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.category());
  }
}
