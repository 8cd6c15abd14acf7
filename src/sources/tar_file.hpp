// Tar archives through libarchive: lists the positions of members, whose bytes can then be read with pread,
// and reads small compressed archives as a whole (CIFAR's tar.gz, the ILSVRC development kit).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "sources/archive_listing.hpp"

namespace convoy {

// The part of a file that is a tar: the whole file, or a member of an outer tar.
struct FilePart {
  std::filesystem::path path;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// The content of an uncompressed tar, links resolved. Reads only headers. Throws ExitCode::bad_data for a
// file that is not a tar, is truncated or damaged, or goes on after its end; ExitCode::io.
ArchiveListing list_tar(const FilePart& part);

// The files of a tar, compressed or not, whose path `wanted` accepts: the path and bytes of each, in order.
// Throws ExitCode::bad_data if one of them is a link.
struct UnpackedMember {
  std::string path;
  std::vector<std::byte> bytes;
};
std::vector<UnpackedMember> unpack_members(const std::filesystem::path& path,
                                           const std::function<bool(const std::string&)>& wanted);

}  // namespace convoy
