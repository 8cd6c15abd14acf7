// `convoy pack`: builds one split of a store from images as distributed. Under mpirun the ranks share the
// work; running an interrupted pack again completes it. Called by cli's pack command; synthesize has its own
// source of images and shares the writer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "comm/communicator.hpp"
#include "data/store_writer.hpp"

namespace convoy {

struct PackOptions {
  std::filesystem::path source;  // see sources/source.hpp for the supported kinds
  std::filesystem::path store;   // the store's folder, created if absent
  std::string split = "train";   // or "val"
  int image_size = 256;          // side S of the stored squares
  Fit fit = Fit::cut;            // how an image becomes a square
  std::uint64_t shard_bytes = 1'000'000'000;
  bool skip_bad = false;  // leave bad images out and list them instead of failing
  bool replace = false;   // discard this split if the store has it from another source or with other options
  int workers = 0;        // threads of this rank; 0: this rank's share of the cores
  // Empty: not given.
  std::filesystem::path labels;       // for images outside class folders, see sources/label_list.hpp
  std::filesystem::path class_list;   // see sources/class_list.hpp
  std::filesystem::path class_names;  // see sources/class_list.hpp
};

struct PackReport {
  std::string kind;          // of the source, e.g. "image folder"
  std::int64_t ignored = 0;  // files of the source that are not images
  std::int64_t classes = 0;
  std::vector<std::string> warnings;  // already logged: a single class, classes without an image, ...
  SplitReport split;
};

// Collective. Throws the same Error on every rank: ExitCode::usage, bad_data, io.
PackReport pack(const PackOptions& options, Communicator& communicator, const Log& log);

}  // namespace convoy
