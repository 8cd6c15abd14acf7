// Stored images of one split by sample id, for the loader and for `convoy verify`: opens shards on first use,
// checks that each is the one in store.json, reads with `pread` (or through HDF5 if a shard is chunked or
// compressed) and verifies every image's checksum. A copy on the node's own disk is preferred to the store's
// shard. Any number of threads may read at the same time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/shard_copies.hpp"
#include "data/store.hpp"

namespace convoy {

// One shard's entries for its images, in stored order.
struct ShardTables {
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> crc32c;
};

// One image whose bytes differ from its checksum.
struct DamagedImage {
  std::int64_t index = 0;  // within the shard
  std::uint32_t expected = 0, found = 0;
};

// How many shards a reader keeps open: a quarter of the files that this process may open, so that a second
// reader (of the other split) and MPI's connections have room, and at most 256.
int shards_kept_open();

class ShardReader {
 public:
  // At most `most_open` shards have a descriptor at a time; the least recently used is closed for another.
  // `copies` of the split's shards, if there are any, must outlive the reader: a copy is read as soon as it
  // is there, and rejected, so that the store's shard is read again, if it is unusable.
  ShardReader(const Store& store, const std::string& split, int most_open = shards_kept_open(),
              ShardCopies* copies = nullptr);
  ~ShardReader();
  ShardReader(const ShardReader&) = delete;
  ShardReader& operator=(const ShardReader&) = delete;

  std::int64_t images() const;
  const std::vector<ShardEntry>& shards() const;

  // The images of `ids` (in any order; consecutive ids are read together) and their labels. `images` has
  // space for ids.size() × S × S × 3 bytes. Throws ExitCode::bad_data for a shard that is truncated, foreign
  // or damaged and for an image with a wrong checksum (with file, index and image), ExitCode::io for system
  // errors.
  void read(std::span<const std::uint32_t> ids, std::span<std::uint8_t> images,
            std::span<std::int32_t> labels) const;

  // Checks shard `index` as a whole (size, attributes, shapes, offsets, labels) the first time; throws like
  // read().
  const ShardTables& tables(std::size_t index) const;

  // Reads images [first, first + count) of a shard; those with a wrong checksum are returned, not thrown.
  std::vector<DamagedImage> read_checked(std::size_t shard, std::int64_t first, std::int64_t count,
                                         std::span<std::uint8_t> images) const;

  // Names of a shard's images, in stored order.
  std::vector<std::string> names(std::size_t shard) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy
