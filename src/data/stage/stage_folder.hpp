// The folder on a node's own disk that holds copies of one store's shards: FOLDER/convoy-store-<fingerprint>,
// so that copies of several stores do not mix. Used by Stage.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "data/store.hpp"

namespace convoy {

class StageFolder {
 public:
  // Makes the folder for copies of `store`, which must outlive it, in `parent`. Throws ExitCode::usage if
  // `parent` is missing, is no folder or is the store's own; bad_data for a store without a proper
  // fingerprint; io if the folder cannot be made.
  StageFolder(const std::filesystem::path& parent, const Store& store);

  const std::filesystem::path& path() const { return path_; }

  // Whether a copy of the shard has its name and its size.
  bool looks_complete(const ShardEntry& shard) const;
  // Whether it is also this shard's, as its checksum of labels, names and the images' checksums says. Throws
  // ExitCode::io if the store's shard cannot be read.
  bool holds(const ShardEntry& shard) const;

  // What `shards` take and what of them is there. Throws ExitCode::io if the disk does not say, if they do
  // not fit, or if some are missing and the folder cannot be written.
  void check_space(std::span<const ShardEntry* const> shards) const;

  // Whether copies and store are on one file system.
  bool is_beside_store() const;

 private:
  const Store& store_;
  std::filesystem::path path_;
};

}  // namespace convoy
