// Copies one shard and checks every byte on its way: images against their checksums, everything else against
// the shard's checksum of its metadata. Used by Stage.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "base/file_descriptor.hpp"
#include "data/shard_reader.hpp"

namespace convoy {

// Compares images with their checksums as the bytes of a shard pass in order.
class PixelCheck {
 public:
  PixelCheck(std::uint64_t offset, std::size_t image_bytes, std::span<const std::uint32_t> expected)
      : offset_(offset), image_bytes_(image_bytes), expected_(expected) {}

  // The next bytes of the file, which begin at `offset`. Returns the number of the first damaged image, if
  // one ends in them.
  std::optional<std::int64_t> take(std::uint64_t offset, std::span<const std::byte> bytes);

  bool complete() const { return image_ == expected_.size(); }

 private:
  std::uint64_t offset_;
  std::size_t image_bytes_;
  std::span<const std::uint32_t> expected_;
  std::size_t image_ = 0, in_image_ = 0;  // the image that is passing, and how much of it has passed
  std::uint32_t checksum_ = 0;
};

// The unfinished copy of a shard, "<name>.partial", which only one process writes at a time: the kernel frees
// it however that process ends, and the next one starts it anew.
class PartialCopy {
 public:
  // Empty while another process writes it. Throws ExitCode::io.
  static std::optional<PartialCopy> claim(const std::filesystem::path& final_path);
  ~PartialCopy();  // deletes the file unless it was published
  PartialCopy(PartialCopy&&) noexcept = default;
  PartialCopy& operator=(PartialCopy&&) = delete;

  const FileDescriptor& file() const { return file_; }
  const std::filesystem::path& path() const { return path_; }
  // Sets the size and reserves the space, where the file system can: a disk that is full says so now.
  void reserve(std::uint64_t bytes) const;
  // Gives the file its final name. It is not flushed to disk: what a lost machine leaves of it is found
  // damaged, as every copy is checked when it is read.
  void publish();

 private:
  PartialCopy(std::filesystem::path path, std::filesystem::path final_path, FileDescriptor file);

  std::filesystem::path path_, final_;
  FileDescriptor file_;
};

enum class CopyEnd { complete, stopped, bad_source, cannot_write };

struct CopyResult {
  CopyEnd end = CopyEnd::complete;
  std::string reason;  // for the last two
};

// Copies shard `shard` of `store`, which `source` reads, into `partial` and publishes that.
CopyResult copy_shard(const Store& store, const ShardReader& source, std::size_t shard, PartialCopy& partial,
                      const std::stop_token& stop);

}  // namespace convoy
