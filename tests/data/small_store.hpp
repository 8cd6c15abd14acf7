// A store of a few small images for tests, written with Hdf5File alone: every pixel is a function of the
// split and of the sample id, so that a test knows what must be read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/store.hpp"

namespace convoy::test {

struct SmallStoreOptions {
  int image_size = 8;
  int classes = 5;
  std::vector<std::int64_t> train_shards = {7, 1, 12};  // images of each
  std::vector<std::int64_t> val_shards = {5};
  bool chunked = false;  // gzip-compressed chunks, as another tool might write them
};

// Writes the store (shards, mean.h5, store.json) and returns what store.json says.
Store write_small_store(const std::filesystem::path& folder, const SmallStoreOptions& options = {});

// Image `id` of a split as stored: S × S × 3.
std::vector<std::uint8_t> small_image(const std::string& split, std::uint32_t id, int image_size);
std::int32_t small_label(const std::string& split, std::uint32_t id, int classes);
std::string small_name(const std::string& split, std::uint32_t id);

// Turns over one bit of the byte at `offset`.
void damage_byte(const std::filesystem::path& file, std::uint64_t offset);

}  // namespace convoy::test
