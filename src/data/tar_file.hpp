// Tar archives through libarchive: where the members lie, so that their bytes can then be read with pread,
// and small compressed archives read as a whole (CIFAR's tar.gz, the ILSVRC development kit).
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

// What stands behind the last slash of a path within an archive or a source.
std::string_view file_name(std::string_view path);

// The part of a file that is a tar: the whole of it, or a member of an outer tar.
struct FilePart {
  std::filesystem::path path;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// The regular files of an uncompressed tar, in order. Reads headers only. Throws ExitCode::bad_data for what
// is no tar or breaks off, ExitCode::io.
std::vector<TarMember> list_tar(const FilePart& part);

// The regular files of a tar, compressed or not, whose path `wanted` accepts: each one's path and bytes, in
// order.
struct UnpackedMember {
  std::string path;
  std::vector<std::byte> bytes;
};
std::vector<UnpackedMember> unpack_members(const std::filesystem::path& path,
                                           const std::function<bool(const std::string&)>& wanted);

}  // namespace convoy
