// Writes a zip whose entries are not compressed and begin at multiples of a size that the reader needs to map
// them. The format is written here because no library places an entry: libarchive fills the extra field,
// which is where the filling belongs, with times and owners of its own and takes none, and libzip does not
// say where an entry's bytes will be. For torch_write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.hpp"

namespace convoy {

class StoredZip {
 public:
  // `file` is empty, open for writing and outlives this object. Functions throw ExitCode::io.
  explicit StoredZip(const FileDescriptor& file) : file_(file) {}

  // Adds an entry whose bytes begin at a multiple of `alignment`.
  void add(std::string_view name, std::span<const std::byte> bytes, std::uint64_t alignment = 1);
  // Writes the list of entries; nothing may be added then.
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint64_t offset = 0, bytes = 0;
    std::uint32_t crc32 = 0;
  };
  void write(std::string_view text);
  static std::string list_entry(const Entry& entry);

  const FileDescriptor& file_;
  std::uint64_t position_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace convoy
