// Zip archives: the members are listed from the central directory (Zip64 too), single ones are read with
// pread from any number of threads and unpacked by zlib. The directory is parsed here: of the libraries,
// libzip and libarchive do not say where a member's bytes are, and minizip 1.1 misreads offsets beyond 4 GiB.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "base/file_descriptor.hpp"
#include "sources/archive_listing.hpp"
#include "sources/source.hpp"

namespace convoy {

// The content of a zip, links resolved; a member's `offset` is that of its own header. Reads only the central
// directory and symbolic links. Encrypted members and those compressed by other methods than deflate have a
// flaw. Throws ExitCode::bad_data for a file that is damaged or truncated, or that contains a path out of the
// archive; ExitCode::io.
ArchiveListing list_zip(const std::filesystem::path& path);

// The unpacked bytes of an item. Throws ExitCode::bad_data (only the reason) if they are damaged,
// ExitCode::io.
std::vector<std::byte> unpack_zip_item(const FileDescriptor& file, const SourceItem& item);

}  // namespace convoy
