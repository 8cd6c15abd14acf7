// `convoy synthesize`: a complete store of synthetic images (data/shape_painter.hpp), for the quickstart,
// tests and benchmarks. It uses the same writer as pack, so it can be interrupted, run again and shared by
// ranks in the same way.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/log.hpp"
#include "comm/communicator.hpp"
#include "data/store_writer.hpp"

namespace convoy {

struct SynthesizeOptions {
  std::filesystem::path store;     // the store's folder, created if absent
  std::int64_t images = 6000;      // training images, assigned to the classes in turn
  std::int64_t val_images = 1000;  // validation images, different from all training images; 0: no such split
  int classes = 10;                // up to 1000
  int image_size = 72;             // side of the stored squares
  std::uint64_t seed = 1;
  std::uint64_t shard_bytes = 100'000'000;
  bool replace = false;  // discard splits that the store holds with other options
  int workers = 0;       // threads of this rank; 0: this rank's share of the cores
};

struct SynthesizeReport {
  SplitReport train, val;
};

// Collective. Throws the same Error on every rank: ExitCode::usage, io.
SynthesizeReport synthesize(const SynthesizeOptions& options, Communicator& communicator, const Log& log);

}  // namespace convoy
