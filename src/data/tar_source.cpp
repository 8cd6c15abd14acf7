#include <algorithm>

#include "base/error.hpp"
#include "data/parallel_for.hpp"
#include "data/source_kinds.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

std::string first_part(std::string_view path) {
  const auto slash = path.find('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

// Length of the single folder, with its slash, that all images share and in which all are in subfolders; 0 if
// there is none.
std::size_t shared_folder(const std::vector<SourceItem>& items) {
  if (items.empty()) return 0;
  const std::string folder = first_part(items.front().name) + "/";
  const bool shared = std::ranges::all_of(items, [&](const SourceItem& item) {
    return item.name.starts_with(folder) && item.name.find('/', folder.size()) != std::string::npos;
  });
  return shared ? folder.size() : 0;
}

SourceItem item_at(std::string name, const TarMember& member) {
  SourceItem item;
  item.name = std::move(name);
  item.offset = member.offset;
  item.bytes = member.bytes;
  return item;
}

bool is_class_tar(const TarMember& member) {
  const auto name = file_name(member.path);
  return name.ends_with(".tar") && name.size() > 4 && !name.starts_with('.');
}

}  // namespace

SourceIndex index_tar(const fs::path& path, const std::vector<TarMember>& members) {
  SourceIndex index;
  index.kind = "tar of images";
  index.files = {path.string()};
  for (const TarMember& member : members) {
    if (named_like_image(member.path))
      index.items.push_back(item_at(member.path, member));
    else
      ++index.ignored;
  }
  const std::size_t skipped = shared_folder(index.items);
  std::vector<std::string> class_of_item;
  for (const SourceItem& item : index.items)
    class_of_item.push_back(first_part(std::string_view(item.name).substr(skipped)));
  assign_classes(index, class_of_item);
  return index;
}

bool is_tar_of_tars(const std::vector<TarMember>& members) {
  return std::ranges::any_of(members, is_class_tar) &&
         std::ranges::none_of(members, [](const TarMember& member) { return named_like_image(member.path); });
}

SourceIndex index_tar_of_tars(const fs::path& path, const std::vector<TarMember>& members, int workers) {
  std::vector<TarMember> tars;
  std::ranges::copy_if(members, std::back_inserter(tars), is_class_tar);
  std::vector<std::vector<TarMember>> images(tars.size());
  parallel_for(static_cast<std::int64_t>(tars.size()), workers, [&](std::int64_t i) {
    const TarMember& tar = tars[i];
    try {
      images[i] = list_tar({path, tar.offset, tar.bytes});
    } catch (const Error& error) {
      fail(error.category(), "{} in {}", tar.path, error.what());
    }
  });
  SourceIndex index;
  index.kind = "tar of class tars (ILSVRC2012 training set)";
  index.files = {path.string()};
  index.ignored = static_cast<std::int64_t>(members.size() - tars.size());
  std::vector<std::string> class_of_item;
  for (std::size_t t = 0; t < tars.size(); ++t) {
    const std::string id(file_name(tars[t].path).substr(0, file_name(tars[t].path).size() - 4));
    for (const TarMember& image : images[t]) {
      if (!named_like_image(image.path)) {
        ++index.ignored;
        continue;
      }
      index.items.push_back(item_at(id + "/" + image.path, image));
      class_of_item.push_back(id);
    }
  }
  assign_classes(index, class_of_item);
  return index;
}

}  // namespace convoy
