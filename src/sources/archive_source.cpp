#include <algorithm>

#include "base/error.hpp"
#include "data/parallel_for.hpp"
#include "sources/source_kinds.hpp"

namespace convoy {

namespace {

bool is_class_tar(const ArchiveMember& member) {
  const auto name = file_name(member.path);
  return name.ends_with(".tar") && name.size() > 4 && !name.starts_with('.');
}

// Whether a path is in a folder that is hidden or holds macOS's additions.
bool in_ignored_folder(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos ||
         path.starts_with("__MACOSX/") || path.find("/__MACOSX/") != std::string_view::npos;
}

bool is_image(const ArchiveMember& member) {
  return named_like_image(member.path) && !in_ignored_folder(member.path);
}

// A link to a folder would be a class, or images of one, that is missing.
void refuse_lost_folder(const ArchiveMember& member, const SourceRequest& request) {
  if (member.could_be_folder && !in_ignored_folder(member.path))
    fail(ExitCode::bad_data, "{}: {} {}", request.path.string(), member.path, member.flaw);
}

void add_images(SourceIndex& index, const ArchiveListing& listing, const SourceRequest& request) {
  for (const ArchiveMember& member : listing.members) {
    if (is_image(member)) {
      index.items.push_back(item_of(member));
    } else {
      refuse_lost_folder(member, request);
      ++index.ignored;
      if (member.path.ends_with(".tar") || member.path.ends_with(".zip")) index.archive_inside = member.path;
    }
  }
}

std::set<std::string> visible_folders(const ArchiveListing& listing) {
  std::set<std::string> folders;
  for (const std::string& folder : listing.folders)
    if (!folder.empty() && !in_ignored_folder(folder + "/")) folders.insert(folder);
  return folders;
}

}  // namespace

SourceIndex index_tar(const std::filesystem::path& file, const ArchiveListing& listing,
                      const SourceRequest& request) {
  SourceIndex index;
  index.kind = "tar of images";
  index.storage = SourceStorage::parts_of_files;
  index.files = {file.string()};
  add_images(index, listing, request);
  const auto tar = std::ranges::find_if(listing.members, is_class_tar);
  if (!index.items.empty() && tar != listing.members.end()) {
    fail(ExitCode::usage,
         "{} contains both images ({}) and tars ({}): pack either a tar of class folders or a tar of class "
         "tars",
         request.path.string(), index.items.front().name, tar->path);
  }
  find_classes(index, visible_folders(listing), request);
  return index;
}

SourceIndex index_zip(const std::filesystem::path& file, const ArchiveListing& listing,
                      const SourceRequest& request) {
  SourceIndex index;
  index.kind = "zip of images";
  index.storage = SourceStorage::zip_members;
  index.files = {file.string()};
  add_images(index, listing, request);
  find_classes(index, visible_folders(listing), request);
  return index;
}

bool is_tar_of_tars(const ArchiveListing& listing) {
  return std::ranges::any_of(listing.members, is_class_tar) &&
         std::ranges::none_of(listing.members, is_image);
}

SourceIndex index_tar_of_tars(const std::filesystem::path& file, const ArchiveListing& listing,
                              const SourceRequest& request) {
  std::vector<ArchiveMember> tars;
  std::ranges::copy_if(listing.members, std::back_inserter(tars), is_class_tar);
  std::vector<ArchiveListing> inside(tars.size());
  parallel_for(static_cast<std::int64_t>(tars.size()), request.workers, [&](std::int64_t i) {
    const ArchiveMember& tar = tars[i];
    if (!tar.flaw.empty()) fail(ExitCode::bad_data, "{}: {} {}", file.string(), tar.path, tar.flaw);
    try {
      inside[i] = list_tar({file, tar.offset, tar.bytes});
    } catch (const Error& error) {
      fail(error.category(), "{} in {}", tar.path, error.what());
    }
  });
  SourceIndex index;
  index.kind = "tar of class tars (ILSVRC2012 training set)";
  index.storage = SourceStorage::parts_of_files;
  index.files = {file.string()};
  index.ignored = static_cast<std::int64_t>(listing.members.size() - tars.size());
  std::vector<std::string> class_of_item;
  std::vector<std::string> empty;
  for (std::size_t t = 0; t < tars.size(); ++t) {
    const std::string id(file_name(tars[t].path).substr(0, file_name(tars[t].path).size() - 4));
    const std::size_t before = index.items.size();
    for (const ArchiveMember& image : inside[t].members) {
      if (!is_image(image)) {
        refuse_lost_folder(image, request);
        ++index.ignored;
        continue;
      }
      index.items.push_back(item_of(image));
      index.items.back().name = fmt::format("{}/{}", id, image.path);
      class_of_item.push_back(id);
    }
    if (index.items.size() == before) empty.push_back(tars[t].path);
  }
  warn_of_empty_classes(index, empty, request);
  assign_classes(index, class_of_item);
  return index;
}

}  // namespace convoy
