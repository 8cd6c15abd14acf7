// A checksum after the end of an HDF5 file (a shard of a store, a checkpoint), over all data except bulk
// data. HDF5 trusts its older structures and can crash on damaged ones, so the checksum is verified before
// HDF5 opens the file. Other tools ignore bytes after HDF5's end; a tool that changes the file removes them.
// A file that ends where HDF5's part ends is not verified; a file that ends elsewhere without a checksum is
// rejected. Used by Hdf5File, and by stage/ to recognise copies of a shard.
//
//   bulk ranges        n × (offset u64, bytes u64)
//   n                  u64
//   checksum           u32: crc32c of every byte before it that is in no bulk range
//   mark               12 bytes "convoy-meta1"
//
// Integers are little-endian.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "data/bulk_ranges.hpp"

namespace convoy {

// Appends the checksum to a closed file. Throws ExitCode::io.
void append_metadata_checksum(const std::filesystem::path& path, std::vector<BulkRange> bulk);

// Throws ExitCode::bad_data if the file has such a checksum and it is wrong. Ignores a file that cannot be
// opened: HDF5 will report it.
void compare_metadata_checksum(const std::filesystem::path& path);

// The checksum as the file states it, not compared; empty if it has none. Throws ExitCode::io if the file
// cannot be read.
std::optional<std::uint32_t> metadata_checksum_of(const std::filesystem::path& path);

}  // namespace convoy
