#include "train/checkpoint_seal.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

#include "base/crc32c.hpp"
#include "base/error.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

struct Seal {
  std::array<char, 8> mark{'C', 'V', 'Y', 'S', 'E', 'A', 'L', '1'};
  std::uint32_t checksum = 0, zero = 0;
};
static_assert(sizeof(Seal) == 16);

std::ifstream open(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(ExitCode::io, "cannot open {}: {}", path.string(), system_error_text(errno));
  return file;
}

// CRC-32C of the first `bytes` bytes.
std::uint32_t checksum_of(std::ifstream& file, std::uint64_t bytes, const fs::path& path) {
  std::vector<char> buffer(std::size_t{1} << 20);
  std::uint32_t sum = 0;
  file.seekg(0);
  while (bytes > 0) {
    const std::size_t piece = std::min<std::uint64_t>(bytes, buffer.size());
    if (!file.read(buffer.data(), static_cast<std::streamsize>(piece)))
      fail(ExitCode::io, "cannot read {}: {}", path.string(), system_error_text(errno));
    sum = crc32c(std::as_bytes(std::span(buffer).first(piece)), sum);
    bytes -= piece;
  }
  return sum;
}

template <typename T>
std::optional<T> read_at(std::ifstream& file, std::uint64_t offset) {
  T value{};
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  if (!file.read(reinterpret_cast<char*>(&value), sizeof value)) return std::nullopt;
  return value;
}

// Where HDF5's part of the file ends, by its superblock (HDF5 File Format Specification, II.A: version 0, 1,
// and 2 or 3, with addresses of 8 bytes). Nothing for any other file: HDF5 will say what is wrong with it.
std::optional<std::uint64_t> end_of_hdf5(std::ifstream& file) {
  constexpr std::string_view signature = "\x89HDF\r\n\x1a\n";
  const auto start = read_at<std::array<char, 8>>(file, 0);
  if (!start || std::string_view(start->data(), start->size()) != signature) return std::nullopt;
  const auto version = read_at<std::uint8_t>(file, 8);
  if (!version) return std::nullopt;
  return read_at<std::uint64_t>(file, *version == 0 ? 40 : *version == 1 ? 44 : 28);
}

}  // namespace

void append_seal(const fs::path& path) {
  Seal seal;
  {
    std::ifstream file = open(path);
    seal.checksum = checksum_of(file, fs::file_size(path), path);
  }
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file.write(reinterpret_cast<const char*>(&seal), sizeof seal);
  file.close();
  if (!file) fail(ExitCode::io, "cannot write {}: {}", path.string(), system_error_text(errno));
}

void check_seal(const fs::path& path) {
  std::ifstream file = open(path);
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  if (error) fail(ExitCode::io, "cannot read {}: {}", path.string(), error.message());
  if (size < sizeof(Seal)) return;
  const auto seal = read_at<Seal>(file, size - sizeof(Seal));
  if (!seal) fail(ExitCode::io, "cannot read {}: {}", path.string(), system_error_text(errno));
  if (seal->mark != Seal().mark) {
    const auto end = end_of_hdf5(file);
    if (end && *end != size)
      fail(ExitCode::bad_data, "{}: torn or corrupt: HDF5's part ends at byte {}, the file has {}",
           path.string(), *end, size);
    return;
  }
  const std::uint32_t found = checksum_of(file, size - sizeof(Seal), path);
  if (found != seal->checksum || seal->zero != 0)
    fail(ExitCode::bad_data, "{}: corrupt: the whole file's checksum is {:08x}, stored is {:08x}",
         path.string(), found, seal->checksum);
}

}  // namespace convoy
