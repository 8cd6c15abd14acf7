// Bulk data of an HDF5 file (images, weights): ranges of bytes with checksums of their own, written and read
// without the library. Everything else is the file's structure, which HDF5 writes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/file_descriptor.hpp"

namespace convoy {

struct BulkRange {
  std::uint64_t offset = 0, bytes = 0;
};

// Without empty ranges, in ascending order.
std::vector<BulkRange> in_order(std::vector<BulkRange> ranges);

// Reads the bytes [0, end) of a file that are in none of the ranges, which are in order; passes them on in
// pieces with their offsets. Throws ExitCode::io.
void read_between(const FileDescriptor& file, std::uint64_t end, std::span<const BulkRange> ranges,
                  const std::function<void(std::uint64_t offset, std::span<const std::byte>)>& take);

}  // namespace convoy
