// What a split will be, worked out before its first image is read: which image stands where, in how many
// shards, under which names. The same on every rank, so each knows its share alone, and the same after an
// interruption, so that finished shards can be told from foreign ones. Used by pack, synthesize and the store
// writer.
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
  std::uint64_t shard_bytes = 1'000'000'000;  // of pixels, about
  bool skip_bad = false;
  int workers = 1;                  // threads of this rank
  std::vector<ClassEntry> classes;  // in label order
  std::vector<std::string> names;   // in stored order
  std::vector<std::int32_t> labels;
  std::string binding;  // names the content (see plan_binding): kept in every shard

  std::int64_t images() const { return static_cast<std::int64_t>(names.size()); }
  std::size_t image_bytes() const { return static_cast<std::size_t>(image_size) * image_size * 3; }
  int shards() const;                       // pixels / shard_bytes, rounded up
  Range shard(int index) const;             // its positions: sizes differ by at most one
  std::string shard_file(int index) const;  // "train-00000-of-00256.h5"
  std::filesystem::path shard_path(int index) const { return folder / shard_file(index); }
};

// The stored order of images: indices of `names` sorted by the 64-bit XXH3 hash of the name (by the name
// itself where two hashes are equal). Names must all be different.
std::vector<std::uint32_t> stored_order(std::span<const std::string> names);

// Hexadecimal XXH3-128 of what decides a shard's content: split, size of images, names, labels, and `details`
// of the source (its kind, sizes of the items). Sets plan.binding.
void bind_plan(SplitPlan& plan, const std::string& details);

}  // namespace convoy
