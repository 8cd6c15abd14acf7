#include "data/metadata_checksum.hpp"

#include <fcntl.h>

#include <bit>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "base/crc32c.hpp"
#include "base/error.hpp"
#include "base/file_descriptor.hpp"

namespace convoy {

namespace {

static_assert(std::endian::native == std::endian::little, "integers are written in their memory layout");

constexpr std::string_view mark = "convoy-meta1";
constexpr std::uint64_t tail_bytes = 8 + 4 + mark.size();  // number of ranges, checksum, mark

// Checksum of the bytes [0, end) of the file that are outside the ranges, which are in order.
std::uint32_t checksum_between(const FileDescriptor& file, std::uint64_t end,
                               const std::vector<BulkRange>& bulk) {
  std::uint32_t checksum = 0;
  read_between(file, end, bulk,
               [&](std::uint64_t, std::span<const std::byte> bytes) { checksum = crc32c(bytes, checksum); });
  return checksum;
}

// The end of HDF5's part of the file, from its superblock (HDF5 File Format Specification, II.A: versions 0,
// 1, and 2 or 3, with addresses of 8 bytes); 0 for a different format, which HDF5 will reject.
std::uint64_t end_of_hdf5(const FileDescriptor& file, std::uint64_t size) {
  constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
  std::byte start[52];
  if (size < sizeof start) return 0;
  file.read_exactly(0, start);
  if (std::memcmp(start, signature.data(), signature.size()) != 0) return 0;
  const int version = std::to_integer<int>(start[8]);
  std::uint64_t end = 0;
  std::memcpy(&end, start + (version == 0 ? 40 : version == 1 ? 44 : 28), sizeof end);
  return end;
}

}  // namespace

void append_metadata_checksum(const std::filesystem::path& path, std::vector<BulkRange> bulk) {
  const FileDescriptor file = open_file(path, O_RDWR);
  bulk = in_order(std::move(bulk));
  std::uint64_t end = file.size();
  const std::uint64_t count = bulk.size();
  const auto append = [&](std::span<const std::byte> bytes) {
    file.write_at(end, bytes);
    end += bytes.size();
  };
  append(std::as_bytes(std::span(bulk)));
  append(std::as_bytes(std::span(&count, 1)));
  const std::uint32_t checksum = checksum_between(file, end, bulk);
  append(std::as_bytes(std::span(&checksum, 1)));
  append(std::as_bytes(std::span(mark)));
}

void compare_metadata_checksum(const std::filesystem::path& path) {
  const FileDescriptor file = try_open(path, O_RDONLY);
  if (!file.is_open()) return;
  const std::uint64_t size = file.size();
  if (size < tail_bytes) return;
  std::byte tail[tail_bytes];
  file.read_exactly(size - tail_bytes, tail);
  if (std::memcmp(tail + 12, mark.data(), mark.size()) != 0) {
    const std::uint64_t hdf5_end = end_of_hdf5(file, size);
    if (hdf5_end != 0 && hdf5_end != size)
      fail(ExitCode::bad_data, "{} is incomplete or damaged: HDF5's part ends at byte {}, the file has {}",
           path.string(), hdf5_end, size);
    return;
  }

  std::uint64_t count = 0;
  std::uint32_t expected = 0;
  std::memcpy(&count, tail, sizeof count);
  std::memcpy(&expected, tail + 8, sizeof expected);
  const std::uint64_t end = size - tail_bytes + sizeof count;
  bool sound = count <= (size - tail_bytes) / sizeof(BulkRange);
  if (sound) {
    std::vector<BulkRange> bulk(count);
    file.read_exactly(size - tail_bytes - count * sizeof(BulkRange), std::as_writable_bytes(std::span(bulk)));
    for (const BulkRange& range : bulk)
      sound = sound && range.offset < size && range.bytes <= size - range.offset;
    sound = sound && checksum_between(file, end, bulk) == expected;
  }
  if (!sound) fail(ExitCode::bad_data, "{} is damaged: the checksum of its metadata is wrong", path.string());
}

std::optional<std::uint32_t> metadata_checksum_of(const std::filesystem::path& path) {
  const FileDescriptor file = open_regular_file(path);
  const std::uint64_t size = file.size();
  if (size < tail_bytes) return std::nullopt;
  std::byte tail[tail_bytes];
  file.read_exactly(size - tail_bytes, tail);
  if (std::memcmp(tail + 12, mark.data(), mark.size()) != 0) return std::nullopt;
  std::uint32_t checksum = 0;
  std::memcpy(&checksum, tail + 8, sizeof checksum);
  return checksum;
}

}  // namespace convoy
