#include "report/record_file.hpp"

#include <fcntl.h>

#include <cstring>
#include <span>

#include "base/crc32c.hpp"
#include "base/error.hpp"

namespace convoy {
namespace {

// Rotated and offset, because a checksum over bytes that contain checksums is weak.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(std::as_bytes(std::span(bytes.data(), bytes.size())));
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

template <typename Integer>
std::string little_endian(Integer value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

}  // namespace

std::string framed_record(std::string_view bytes) {
  const std::string length = little_endian(std::uint64_t{bytes.size()});
  std::string record = length + little_endian(masked_crc(length));
  record += bytes;
  record += little_endian(masked_crc(bytes));
  return record;
}

RecordFile::RecordFile(const std::filesystem::path& path)
    : file_(open_file(path, O_WRONLY | O_CREAT | O_EXCL)) {}

void RecordFile::append(std::string_view bytes) {
  const std::string record = framed_record(bytes);
  try {
    file_.write_at(end_, std::as_bytes(std::span(record.data(), record.size())));
  } catch (const Error&) {
    try {
      file_.resize(end_);     // readers would stop at half a record for good
    } catch (const Error&) {  // the first error tells more
    }
    throw;
  }
  end_ += record.size();
}

}  // namespace convoy
