// Zip archives: minizip lists the members (Zip64 too), zlib unpacks single ones, whose bytes are read with
// pread from any number of threads.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/file_descriptor.hpp"
#include "data/archive_listing.hpp"
#include "data/source.hpp"

namespace convoy {

// The content of a zip, links resolved, from its central directory alone: a member's `offset` is its place in
// that directory, until locate_zip_items. Encrypted members and those compressed by other methods than
// deflate have a flaw. Throws ExitCode::bad_data for a file that is damaged or truncated, or that contains a
// path out of the archive; ExitCode::io.
ArchiveListing list_zip(const std::filesystem::path& path);

// Replaces the items' offsets (in the central directory) by those of their bytes. Reads each member's own
// header, on `workers` threads. Throws ExitCode::bad_data with the member whose header does not fit.
void locate_zip_items(const std::filesystem::path& path, std::span<SourceItem> items, int workers);

// The unpacked bytes of a located item. Throws ExitCode::bad_data (only the reason) if they are damaged,
// ExitCode::io.
std::vector<std::byte> unpack_zip_item(const FileDescriptor& file, const SourceItem& item);

}  // namespace convoy
