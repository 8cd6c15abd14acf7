// Tar archives through libarchive: lists the positions of members, whose bytes can then be read with pread,
// and reads small compressed archives as a whole (CIFAR's tar.gz, the ILSVRC development kit).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace convoy {

struct TarMember {
  std::string path;          // without a leading "./"
  std::uint64_t offset = 0;  // of the member's bytes in the file
  std::uint64_t bytes = 0;
};

// The part of a path within an archive or a source after the last slash.
std::string_view file_name(std::string_view path);

// The part of a file that is a tar: the whole file, or a member of an outer tar.
struct FilePart {
  std::filesystem::path path;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// The regular files of an uncompressed tar, in order. Reads only headers. Throws ExitCode::bad_data for a
// file that is not a tar or is truncated, ExitCode::io.
std::vector<TarMember> list_tar(const FilePart& part);

// The regular files of a tar, compressed or not, whose path `wanted` accepts: the path and bytes of each, in
// order.
struct UnpackedMember {
  std::string path;
  std::vector<std::byte> bytes;
};
std::vector<UnpackedMember> unpack_members(const std::filesystem::path& path,
                                           const std::function<bool(const std::string&)>& wanted);

}  // namespace convoy
