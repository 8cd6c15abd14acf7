// The plan of a split, computed before its first image is read: the position of each image, the number of
// shards, their names. The same on every rank, so each rank knows its share by itself, and the same after an
// interruption, so that finished shards can be distinguished from foreign ones. Used by pack, synthesize and
// the store writer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/partition.hpp"
#include "data/store.hpp"

namespace convoy {

struct SplitPlan {
  std::filesystem::path folder;  // of the store
  std::string split;             // "train" or "val"
  int image_size = 256;
  Fit fit = Fit::cut;
  std::uint64_t shard_bytes = 1'000'000'000;  // of pixels, approximate
  bool skip_bad = false;
  bool replace = false;             // discard shards of this split that another plan made
  int workers = 1;                  // threads of this rank
  std::vector<ClassEntry> classes;  // in label order
  std::vector<std::string> names;   // in stored order
  std::vector<std::int32_t> labels;
  std::string binding;  // identifies the content (see bind_plan): stored in every shard

  std::int64_t images() const { return static_cast<std::int64_t>(names.size()); }
  std::size_t image_bytes() const { return static_cast<std::size_t>(image_size) * image_size * 3; }
  int shards() const;                       // pixels / shard_bytes, rounded up
  Range shard(int index) const;             // its positions: sizes differ by at most one
  std::string shard_file(int index) const;  // "train-00000-of-00256.h5"
  std::filesystem::path shard_path(int index) const { return folder / shard_file(index); }
};

// The stored order of images: indices of `names` sorted by the 64-bit XXH3 hash of the name (by the name
// itself if two hashes are equal). All names must be different.
std::vector<std::uint32_t> stored_order(std::span<const std::string> names);

// Hexadecimal XXH3-128 of everything that determines a shard's content: split, image size, fit, names,
// labels, and `details` of the source (its kind, sizes of the items). Sets plan.binding.
void bind_plan(SplitPlan& plan, const std::string& details);

}  // namespace convoy
