#include "sources/archive_listing.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "base/error.hpp"
#include "base/text_list.hpp"

namespace convoy {

namespace {

// As many links on one path as Linux follows.
constexpr int most_links = 40;

std::deque<std::string> parts_of(std::string_view path) {
  std::deque<std::string> parts;
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    if (slash > 0 && path.substr(0, slash) != ".") parts.emplace_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

// Follows links through the archive as a file system would.
class LinkResolver {
 public:
  explicit LinkResolver(const ArchiveListing& listing) : listing_(listing) {
    for (std::size_t i = 0; i < listing.members.size(); ++i) {
      member_at_[listing.members[i].path] = i;
      add_folders_above(listing.members[i].path);
    }
    for (const std::string& folder : listing.folders) add_folders_above(folder + "/");
    for (const ArchiveLink& link : listing.links) {
      link_at_[link.path] = &link;
      add_folders_above(link.path);
    }
  }

  // The member that stands for `link`.
  ArchiveMember resolve(const ArchiveLink& link) const {
    std::string reached;
    const char* flaw = walk(link.path, reached);
    const auto found = member_at_.find(reached);
    ArchiveMember member;
    if (flaw == nullptr && found != member_at_.end()) member = listing_.members[found->second];
    member.path = link.path;
    if (flaw == nullptr && found != member_at_.end()) return member;
    const bool folder = flaw == nullptr && folders_.contains(reached);
    if (flaw == nullptr)
      flaw = folder ? "which is a folder: pack the extracted archive" : "which the archive does not contain";
    member.flaw =
        fmt::format("is a {} link to {}, {}", link.symbolic ? "symbolic" : "hard", link.target, flaw);
    member.could_be_folder = folder || file_name(link.path).find('.') == std::string_view::npos;
    return member;
  }

 private:
  void add_folders_above(std::string_view path) {
    for (auto slash = path.rfind('/'); slash != std::string_view::npos; slash = path.rfind('/', slash - 1)) {
      if (!folders_.emplace(path.substr(0, slash)).second || slash == 0) return;
    }
  }

  // Sets `reached` to the path behind all links on `path`. Returns null, or why there is none.
  const char* walk(const std::string& path, std::string& reached) const {
    std::deque<std::string> pending = parts_of(path);
    std::vector<std::string> current;
    for (int links = 0; !pending.empty();) {
      std::string part = std::move(pending.front());
      pending.pop_front();
      if (part == "..") {
        if (current.empty()) return "which is outside the archive";
        current.pop_back();
        continue;
      }
      current.push_back(std::move(part));
      const auto found = link_at_.find(text_list(current, "/"));
      if (found == link_at_.end()) continue;
      if (++links > most_links) return "which leads back to itself";
      const ArchiveLink& link = *found->second;
      if (link.symbolic && link.target.starts_with('/')) return "which is outside the archive";
      if (link.symbolic)
        current.pop_back();
      else
        current.clear();
      const std::deque<std::string> target = parts_of(link.target);
      pending.insert(pending.begin(), target.begin(), target.end());
    }
    reached = text_list(current, "/");
    return nullptr;
  }

  const ArchiveListing& listing_;
  std::unordered_map<std::string_view, std::size_t> member_at_;
  std::unordered_map<std::string, const ArchiveLink*> link_at_;
  std::unordered_set<std::string> folders_;
};

// "a/b/c" for the longest part of `folder` that exists, and the folders directly in it.
struct Nearest {
  std::string folder;
  std::set<std::string> inside;
};

Nearest nearest_folder(const ArchiveListing& listing, const std::string& folder) {
  for (std::string above = folder;;) {
    above.resize(above.rfind('/') == std::string::npos ? 0 : above.rfind('/'));
    const std::string prefix = above.empty() ? "" : above + "/";
    Nearest nearest{above, {}};
    for (const ArchiveMember& member : listing.members) {
      const auto slash = member.path.find('/', prefix.size());
      if (member.path.starts_with(prefix) && slash != std::string::npos)
        nearest.inside.insert(member.path.substr(prefix.size(), slash - prefix.size()));
    }
    if (above.empty() || !nearest.inside.empty()) return nearest;
  }
}

[[noreturn]] void refuse_absent_folder(const ArchiveListing& listing, const std::string& folder,
                                       std::string_view archive) {
  const bool is_file =
      std::ranges::find(listing.members, folder, &ArchiveMember::path) != listing.members.end();
  if (is_file) fail(ExitCode::usage, "{} in {} is a file, not a folder of images", folder, archive);
  const Nearest nearest = nearest_folder(listing, folder);
  constexpr std::size_t most_named = 5;
  const std::vector<std::string> names(nearest.inside.begin(), nearest.inside.end());
  fail(ExitCode::usage, "{} contains no folder {}; {} {}{}", archive, folder,
       nearest.folder.empty() ? "it has" : fmt::format("its folder {} has", nearest.folder),
       names.empty() ? "no folders" : text_list(std::span(names).first(std::min(names.size(), most_named))),
       names.size() > most_named ? ", ..." : "");
}

}  // namespace

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::string clean_member_path(std::string_view stored, std::string_view archive) {
  const std::deque<std::string> parts = parts_of(stored);
  if (std::ranges::find(parts, "..") != parts.end()) {
    fail(ExitCode::bad_data,
         "{} contains {}, a path that leads out of the archive: create it again without \"..\"", archive,
         stored);
  }
  return text_list(parts, "/");
}

SourceItem item_of(const ArchiveMember& member) {
  SourceItem item;
  item.name = member.path;
  item.offset = member.offset;
  item.bytes = member.bytes;
  item.packed_bytes = member.packed_bytes;
  item.crc32 = member.crc32;
  item.deflated = member.deflated;
  item.flaw = member.flaw;
  return item;
}

void resolve_links(ArchiveListing& listing) {
  if (listing.links.empty()) return;
  std::vector<ArchiveMember> resolved;
  {
    const LinkResolver resolver(listing);
    for (const ArchiveLink& link : listing.links) resolved.push_back(resolver.resolve(link));
  }
  std::ranges::move(resolved, std::back_inserter(listing.members));
  listing.links.clear();
}

void select_folder(ArchiveListing& listing, const std::string& folder, std::string_view archive) {
  if (folder.empty()) return;
  const std::string prefix = folder + "/";
  const auto inside = [&](const std::string& path) { return path.starts_with(prefix); };
  if (std::ranges::none_of(listing.members, inside, &ArchiveMember::path) &&
      std::ranges::find(listing.folders, folder) == listing.folders.end())
    refuse_absent_folder(listing, folder, archive);
  std::erase_if(listing.members, [&](const ArchiveMember& member) { return !inside(member.path); });
  for (ArchiveMember& member : listing.members) member.path.erase(0, prefix.size());
  std::erase_if(listing.folders, [&](const std::string& path) { return !inside(path); });
  for (std::string& path : listing.folders) path.erase(0, prefix.size());
}

}  // namespace convoy
