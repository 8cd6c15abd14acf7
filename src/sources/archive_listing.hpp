// The content of an archive (tar or zip) as plain data: its files with the places of their bytes, its links,
// its folders. Made by tar_file and zip_file; the links are resolved and a folder is selected here, alike for
// both; archive_source turns the result into a source.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sources/source.hpp"

namespace convoy {

struct ArchiveMember {
  std::string path;          // from clean_member_path
  std::uint64_t offset = 0;  // tar: of its bytes in the file; zip: of its header
  std::uint64_t bytes = 0;   // when unpacked
  // Of a zip: its bytes as they are stored, and their checksum when unpacked.
  std::uint64_t packed_bytes = 0;
  std::uint32_t crc32 = 0;
  bool deflated = false;
  std::string flaw;  // why it cannot be read, as a phrase after its name ("is encrypted"); empty if it can
  bool could_be_folder = false;  // a link to a folder, or one to nothing that has no extension
};

struct ArchiveLink {
  std::string path;    // from clean_member_path
  std::string target;  // as stored: a hard link's is a path in the archive, a symbolic link's is relative
  bool symbolic = false;
};

struct ArchiveListing {
  std::vector<ArchiveMember> members;  // regular files, in order
  std::vector<ArchiveLink> links;
  std::vector<std::string> folders;  // those that have an entry of their own
};

// The part of a path within an archive or a source after the last slash.
std::string_view file_name(std::string_view path);

// A member's path without empty parts, "." and a leading slash. `archive` is for the message: throws
// ExitCode::bad_data for a path with "..", which would lead out of the archive.
std::string clean_member_path(std::string_view stored, std::string_view archive);

// The member as an item of a source, without label.
SourceItem item_of(const ArchiveMember& member);

// Replaces the links by members: a link to a file of the archive, perhaps over other links, has that file's
// bytes; one to a folder, to nothing or out of the archive becomes a member with a flaw.
void resolve_links(ArchiveListing& listing);

// Keeps the members in `folder` ("a/b"; "" keeps everything), with paths below it. Throws ExitCode::usage
// with the existing folders if that folder is absent. `archive` is for the message.
void select_folder(ArchiveListing& listing, const std::string& folder, std::string_view archive);

}  // namespace convoy
