// A checksum behind the end of an HDF5 file (a shard of a store, a checkpoint), over all but its bulk data.
// HDF5 believes what its older structures say and can crash on damaged ones, so they are compared before it
// sees the file. Other tools ignore bytes behind HDF5's end; one that changes the file cuts them off. A file
// that ends where HDF5 does is not compared; one that ends elsewhere and has no checksum is refused. Used by
// Hdf5File only.
//
//   bulk ranges        n × (offset u64, bytes u64)
//   n                  u64
//   checksum           u32: crc32c of every byte before it that lies in no bulk range
//   mark               12 bytes "convoy-meta1"
//
// Integers are little-endian.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace convoy {

// Bytes that have checksums of their own: images, weights.
struct BulkRange {
  std::uint64_t offset = 0, bytes = 0;
};

// Appends the checksum to a file that is closed. Throws ExitCode::io.
void append_metadata_checksum(const std::filesystem::path& path, std::vector<BulkRange> bulk);

// Throws ExitCode::bad_data when the file has such a checksum and it differs. Says nothing of a file that
// cannot be opened: HDF5 will.
void compare_metadata_checksum(const std::filesystem::path& path);

}  // namespace convoy
