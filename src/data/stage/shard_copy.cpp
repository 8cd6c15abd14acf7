#include "data/stage/shard_copy.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/crc32c.hpp"
#include "base/error.hpp"
#include "data/metadata_checksum.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// Fits a core's cache, so that bytes are read, checked and written there.
constexpr std::size_t block_bytes = std::size_t{1} << 20;

// Whether the path still leads to the open file: another process may have renamed or deleted it meanwhile.
bool leads_to(const fs::path& path, const FileDescriptor& file) {
  struct stat named {
  }, open{};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(file.number(), &open) == 0 &&
         named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

}  // namespace

std::optional<std::int64_t> PixelCheck::take(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset < offset_) {
    const std::uint64_t before = std::min<std::uint64_t>(offset_ - offset, bytes.size());
    bytes = bytes.subspan(before);
  }
  while (!bytes.empty() && !complete()) {
    const auto part = bytes.first(std::min(image_bytes_ - in_image_, bytes.size()));
    checksum_ = crc32c(part, checksum_);
    in_image_ += part.size();
    bytes = bytes.subspan(part.size());
    if (in_image_ < image_bytes_) continue;
    const std::size_t image = image_++;
    in_image_ = 0;
    if (std::exchange(checksum_, 0) != expected_[image]) return static_cast<std::int64_t>(image);
  }
  return std::nullopt;
}

PartialCopy::PartialCopy(fs::path path, fs::path final_path, FileDescriptor file)
    : path_(std::move(path)), final_(std::move(final_path)), file_(std::move(file)) {}

PartialCopy::~PartialCopy() {
  std::error_code ignored;
  if (file_.is_open()) fs::remove(path_, ignored);
}

std::optional<PartialCopy> PartialCopy::claim(const fs::path& final_path) {
  const fs::path path = final_path.string() + ".partial";
  for (;;) {
    // Where many users may write, a link would lead us to overwrite another file.
    FileDescriptor file = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW);
    int refusal = 0;
    while (::flock(file.number(), LOCK_EX | LOCK_NB) != 0)
      if ((refusal = errno) != EINTR) break;
    if (refusal == EWOULDBLOCK) return std::nullopt;
    if (refusal != 0 && refusal != EINTR)
      fail(ExitCode::io, "cannot lock {}: {}", path.string(), system_error_text(refusal));
    if (leads_to(path, file)) return PartialCopy(path, final_path, std::move(file));
  }
}

void PartialCopy::reserve(std::uint64_t bytes) const {
  file_.resize(0);
  if (bytes == 0 || ::fallocate(file_.number(), 0, 0, static_cast<off_t>(bytes)) == 0) return;
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINTR) return;
  fail(ExitCode::io, "cannot write {}: {}", path_.string(), system_error_text(errno));
}

void PartialCopy::publish() {
  std::error_code error;
  fs::rename(path_, final_, error);
  if (error)
    fail(ExitCode::io, "cannot rename {} to {}: {}", path_.string(), final_.string(), error.message());
  file_ = FileDescriptor();
}

CopyResult copy_shard(const Store& store, const ShardReader& source, std::size_t shard, PartialCopy& partial,
                      const std::stop_token& stop) {
  const ShardEntry& entry = source.shards()[shard];
  const fs::path path = store.folder / entry.file;
  bool writing = false;
  try {
    const ShardTables& tables = source.tables(shard);
    PixelCheck check(entry.images_offset, std::size_t{3} * store.image_size * store.image_size,
                     entry.images_offset != 0 ? std::span(tables.crc32c) : std::span<const std::uint32_t>());
    const FileDescriptor from = open_regular_file(path);
    writing = true;
    partial.reserve(entry.bytes);
    writing = false;
    std::vector<std::byte> buffer(block_bytes);
    for (std::uint64_t at = 0; at < entry.bytes;) {
      if (stop.stop_requested()) return {.end = CopyEnd::stopped, .reason = {}};
      const auto block = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), entry.bytes - at));
      from.read_exactly(at, block);
      if (const auto damaged = check.take(at, block))
        fail(ExitCode::bad_data, "{}: image {} is damaged", path.string(), *damaged);
      writing = true;
      partial.file().write_at(at, block);
      writing = false;
      at += block.size();
    }
    compare_metadata_checksum(partial.path());
    writing = true;
    partial.publish();
  } catch (const Error& error) {
    return {.end = writing ? CopyEnd::cannot_write : CopyEnd::bad_source, .reason = error.what()};
  }
  return {};
}

}  // namespace convoy
