// The readers' view of a store: store.json in memory. Rank 0 reads it and broadcasts the text; no other rank
// opens store.json. See README, "A store", for the format on disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/fit.hpp"

namespace convoy {

struct ClassEntry {
  std::string id, name;
  friend bool operator==(const ClassEntry&, const ClassEntry&) = default;
};

struct ShardEntry {
  std::string file;  // name within the store's folder
  std::int64_t images = 0;
  std::uint64_t bytes = 0;  // size of the file
  std::uint64_t images_offset = 0, labels_offset = 0,
                crc32c_offset = 0;  // 0: read through HDF5 (chunked, filtered)
};

struct SplitEntry {
  std::int64_t images = 0;
  std::vector<ShardEntry> shards;
};

// Of the training split; RGB, pixels 0…255, population values.
struct Statistics {
  double mean[3], std[3], pca_values[3], pca_vectors[3][3];  // rows: eigenvectors, largest value first
};

struct Store {
  std::filesystem::path folder;
  int image_size = 0;
  Fit fit = Fit::cut;  // how images became squares; a store without the entry: cut
  std::vector<ClassEntry> classes;
  std::optional<SplitEntry> train, val;
  std::optional<Statistics> statistics;
  std::string fingerprint;

  // Throws ExitCode::usage if the split is absent, with the existing ones.
  const SplitEntry& split(std::string_view name) const;
};

// Parses the text of a store.json; `folder` is only stored (and used in errors: ExitCode::bad_data).
Store parse_store(std::string_view json_text, const std::filesystem::path& folder);
std::string store_to_json(const Store& store);

// The text of folder/store.json. For a folder of images, a file or a missing folder the error explains what
// to do (`convoy pack …`).
std::string read_store_text(const std::filesystem::path& folder);

// /mean of mean.h5: 3 × S × S, channel first.
std::vector<float> read_mean_image(const Store& store);

// crc32c over id, NUL, name, NUL of each class: binds a shard to its class list.
std::uint32_t classes_checksum(const std::vector<ClassEntry>& classes);

}  // namespace convoy
