#include "sources/tar_file.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"

namespace convoy {

namespace {

using Archive = std::unique_ptr<archive, int (*)(archive*)>;

// A file, or a part of it, for libarchive. Blocks are small: listing needs only headers.
struct PartReader {
  FileDescriptor file;
  std::uint64_t position = 0, end = 0;
  std::array<char, 8192> block{};
};

la_ssize_t read_block(archive* handle, void* data, const void** buffer) {
  auto& reader = *static_cast<PartReader*>(data);
  const auto wanted = std::min<std::uint64_t>(reader.block.size(), reader.end - reader.position);
  try {
    const std::size_t count =
        reader.file.read_at(reader.position, std::as_writable_bytes(std::span(reader.block)).first(wanted));
    reader.position += count;
    *buffer = reader.block.data();
    return static_cast<la_ssize_t>(count);
  } catch (const std::exception& error) {  // must not cross libarchive
    archive_set_error(handle, EIO, "%s", error.what());
    return -1;
  }
}

la_int64_t skip(archive*, void* data, la_int64_t request) {
  auto& reader = *static_cast<PartReader*>(data);
  const auto step =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(request), reader.end - reader.position);
  reader.position += step;
  return static_cast<la_int64_t>(step);
}

const char* path_of(archive_entry* entry, const std::string& file) {
  const char* path = archive_entry_pathname_utf8(entry);
  if (path == nullptr) path = archive_entry_pathname(entry);
  if (path == nullptr) fail(ExitCode::bad_data, "{}: a member has no readable name", file);
  return path;
}

const char* text_of(archive* handle) {
  const char* text = archive_error_string(handle);
  return text != nullptr ? text : "unreadable";
}

// Moves to the next member; false at the end. A header that libarchive skips (ARCHIVE_RETRY) is as bad as one
// that ends the list: its member would be missing. `offset` is the header's.
bool next_entry(archive* handle, archive_entry** entry, const std::string& file, std::uint64_t offset) {
  const int result = archive_read_next_header(handle, entry);
  if (result == ARCHIVE_EOF) return false;
  if (result == ARCHIVE_FATAL && archive_errno(handle) == EIO)  // of read_block
    fail(ExitCode::io, "cannot list {}: {}", file, text_of(handle));
  // Most warnings are about names that the locale cannot represent; this one loses a long name or a size.
  const bool lost_name =
      result == ARCHIVE_WARN && std::string_view(text_of(handle)).find("malformed") != std::string_view::npos;
  if ((result != ARCHIVE_OK && result != ARCHIVE_WARN) || lost_name) {
    fail(ExitCode::bad_data, "{} is damaged or truncated at byte {}: {}. Download or copy it again", file,
         offset, text_of(handle));
  }
  return true;
}

// The first byte in [begin, end) that is not zero; `end` if there is none.
std::uint64_t first_data(const FileDescriptor& file, std::uint64_t begin, std::uint64_t end) {
  std::vector<char> block(1 << 16);
  while (begin < end) {
    const auto wanted = std::min<std::uint64_t>(block.size(), end - begin);
    const std::size_t count = file.read_at(begin, std::as_writable_bytes(std::span(block)).first(wanted));
    if (count == 0) return end;
    const auto found = std::find_if(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(count),
                                    [](char c) { return c != '\0'; });
    begin += static_cast<std::uint64_t>(found - block.begin());
    if (found != block.begin() + static_cast<std::ptrdiff_t>(count)) return begin;
  }
  return end;
}

// A tar ends with a block of zeros, usually two, and is filled up with zeros. Elsewhere a block of zeros is a
// lost header, and without one the tar may have been cut off between two members; either way images would be
// missing. `marker` is the position after the last member, `after` the one behind the blocks of zeros that
// libarchive took for the end.
void check_end(const FilePart& part, const FileDescriptor& file, std::uint64_t marker, std::uint64_t after) {
  const std::uint64_t end = part.offset + part.bytes;
  if (after == marker) {
    fail(ExitCode::bad_data,
         "{} is probably truncated: it ends at byte {} without the two blocks of zeros that close a tar. "
         "Download or copy it again; if it is complete, append 1024 zero bytes (head -c 1024 /dev/zero)",
         part.path.string(), end);
  }
  // Fillers are at most a tape's record; a larger one is a file of which a part was never written.
  constexpr std::uint64_t largest_filler = 4 << 20;
  const std::uint64_t checked = std::min(end, after + largest_filler);
  const std::uint64_t data = first_data(file, after, checked);
  if (data < checked) {
    fail(ExitCode::bad_data,
         "{}: the tar ends with a block of zeros at byte {}, but more data follows at byte {}. Either the "
         "file is damaged (download or copy it again), or tars were joined by cat: join them with tar "
         "--concatenate",
         part.path.string(), marker, data);
  }
  if (checked < end) {
    fail(ExitCode::bad_data,
         "{} is probably incomplete: from byte {} to its end at byte {} it contains only zeros. Download or "
         "copy it again",
         part.path.string(), marker, end);
  }
}

// One entry of a tar for the listing. `position`: the first byte of its content.
void add_entry(ArchiveListing& listing, archive_entry* entry, const FilePart& part, std::uint64_t position) {
  const std::string file = part.path.string();
  std::string path = clean_member_path(path_of(entry, file), file);
  const char* hard_link = archive_entry_hardlink(entry);
  const char* symbolic_link = archive_entry_symlink(entry);
  if (hard_link != nullptr) {
    listing.links.push_back({std::move(path), hard_link, false});
  } else if (archive_entry_filetype(entry) == AE_IFLNK && symbolic_link != nullptr) {
    listing.links.push_back({std::move(path), symbolic_link, true});
  } else if (archive_entry_filetype(entry) == AE_IFDIR) {
    listing.folders.push_back(std::move(path));
  } else {
    ArchiveMember member;
    member.path = std::move(path);
    member.offset = position;
    member.bytes = static_cast<std::uint64_t>(archive_entry_size(entry));
    if (archive_entry_filetype(entry) != AE_IFREG) {
      member.bytes = 0;
      member.flaw = "is a device or FIFO, not a file";
    } else if (archive_entry_sparse_count(entry) > 0) {
      member.flaw = "is stored sparse: create the tar without --sparse";
    } else if (member.offset + member.bytes > part.offset + part.bytes) {
      fail(ExitCode::bad_data, "{} is truncated: {} is incomplete. Download or copy it again", file,
           member.path);
    }
    listing.members.push_back(std::move(member));
  }
}

}  // namespace

ArchiveListing list_tar(const FilePart& part) {
  PartReader reader;
  reader.file = open_file(part.path, O_RDONLY);
  reader.position = part.offset;
  reader.end = part.offset + part.bytes;
  const Archive handle(archive_read_new(), archive_read_free);
  archive_read_support_format_tar(handle.get());
  if (archive_read_open2(handle.get(), &reader, nullptr, read_block, skip, nullptr) != ARCHIVE_OK)
    fail(ExitCode::bad_data, "{} is not a tar: {}", part.path.string(), text_of(handle.get()));
  const auto position = [&] {
    return part.offset + static_cast<std::uint64_t>(archive_filter_bytes(handle.get(), 0));
  };
  ArchiveListing listing;
  std::uint64_t header = part.offset;
  for (archive_entry* entry = nullptr; next_entry(handle.get(), &entry, part.path.string(), header);) {
    // libarchive has just read the member's headers, so its position is the first byte of the content.
    add_entry(listing, entry, part, position());
    if (archive_read_data_skip(handle.get()) != ARCHIVE_OK) {
      fail(ExitCode::bad_data, "{} is damaged or truncated: {}: {}. Download or copy it again",
           part.path.string(), path_of(entry, part.path.string()), text_of(handle.get()));
    }
    header = position();
  }
  check_end(part, reader.file, header, position());
  resolve_links(listing);
  return listing;
}

namespace {

// Up to `bytes` bytes of the current member, fewer if it ends before. The size in its header is a claim:
// memory grows with the bytes that come.
std::vector<std::byte> read_content(archive* handle, std::uint64_t bytes) {
  constexpr std::uint64_t step = 1 << 20;
  std::vector<std::byte> content;
  while (content.size() < bytes) {
    const std::size_t before = content.size();
    content.resize(before + std::min(bytes - before, std::max<std::uint64_t>(step, before)));
    const auto count = archive_read_data(handle, content.data() + before, content.size() - before);
    const std::size_t wanted = content.size() - before;
    content.resize(before + static_cast<std::size_t>(std::max<la_ssize_t>(count, 0)));
    if (std::cmp_not_equal(count, wanted)) break;
  }
  return content;
}

}  // namespace

std::vector<UnpackedMember> unpack_members(const std::filesystem::path& path,
                                           const std::function<bool(const std::string&)>& wanted) {
  const Archive handle(archive_read_new(), archive_read_free);
  archive_read_support_format_tar(handle.get());
  archive_read_support_filter_all(handle.get());
  constexpr std::size_t block_bytes = 1 << 20;
  const std::string file = path.string();
  if (archive_read_open_filename(handle.get(), path.c_str(), block_bytes) != ARCHIVE_OK)
    fail(ExitCode::bad_data, "{} is not a tar: {}", file, text_of(handle.get()));
  std::vector<UnpackedMember> members;
  const auto position = [&] { return static_cast<std::uint64_t>(archive_filter_bytes(handle.get(), 0)); };
  for (archive_entry* entry = nullptr; next_entry(handle.get(), &entry, file, position());) {
    std::string member = clean_member_path(path_of(entry, file), file);
    const bool plain = archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == nullptr;
    if (archive_entry_filetype(entry) == AE_IFDIR || !wanted(member)) continue;
    if (!plain)
      fail(ExitCode::bad_data,
           "{}: {} is a link or a device, not a file: create the archive again with the file", file, member);
    std::vector<std::byte> bytes =
        read_content(handle.get(), static_cast<std::uint64_t>(archive_entry_size(entry)));
    if (std::cmp_not_equal(bytes.size(), archive_entry_size(entry)))
      fail(ExitCode::bad_data, "{} is damaged or truncated: {} is incomplete", file, member);
    members.push_back({std::move(member), std::move(bytes)});
  }
  return members;
}

}  // namespace convoy
