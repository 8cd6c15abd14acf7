// `convoy synthesize`: a whole store of drawn images (data/shape_painter.hpp), for the quickstart, tests and
// benchmarks. Written by the same writer as pack's, so it can be interrupted, run again and shared by ranks
// in the same way.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/log.hpp"
#include "comm/communicator.hpp"
#include "data/store_writer.hpp"

namespace convoy {

struct SynthesizeOptions {
  std::filesystem::path store;     // the store's folder, made when absent
  std::int64_t images = 6000;      // training images, dealt to the classes in turn
  std::int64_t val_images = 1000;  // validation images, none of them a training image; 0: no such split
  int classes = 10;                // up to 1000
  int image_size = 72;             // side of the stored squares
  std::uint64_t seed = 1;
  std::uint64_t shard_bytes = 100'000'000;
  int workers = 0;  // threads of this rank; 0: this rank's share of the cores
};

struct SynthesizeReport {
  SplitReport train, val;
};

// Collective. Throws the same Error on every rank: ExitCode::usage, io.
SynthesizeReport synthesize(const SynthesizeOptions& options, Communicator& communicator, const Log& log);

}  // namespace convoy
