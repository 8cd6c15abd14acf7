#include "sources/image_names.hpp"

#include <algorithm>

#include "sources/tar_file.hpp"

namespace convoy {

namespace {

// One slash between parts, as in the names of items, whatever the system that the list comes from.
std::string normal_path(std::string_view path) {
  while (path.starts_with("./") || path.starts_with(".\\")) path.remove_prefix(2);
  std::string normal;
  normal.reserve(path.size());
  for (const char letter : path) {
    const bool slash = letter == '/' || letter == '\\';
    if (!slash || !normal.ends_with('/')) normal += slash ? '/' : letter;
  }
  return normal;
}

std::string_view without_extension(std::string_view name) {
  const auto dot = name.rfind('.');
  const auto slash = name.rfind('/');
  const bool extension = dot != std::string_view::npos && (slash == std::string_view::npos || slash < dot);
  return extension ? name.substr(0, dot) : name;
}

// How the folders of two paths with the same last part agree.
NameMatch::Folders compare_folders(std::string_view a, std::string_view b) {
  const std::string_view longer = a.size() < b.size() ? b : a, shorter = a.size() < b.size() ? a : b;
  const bool end = longer.ends_with(shorter) &&
                   (longer.size() == shorter.size() || longer[longer.size() - shorter.size() - 1] == '/');
  if (!end) return NameMatch::Folders::different;
  return shorter.find('/') == std::string_view::npos ? NameMatch::Folders::absent : NameMatch::Folders::equal;
}

}  // namespace

std::string shared_folders(const std::vector<std::string_view>& names) {
  if (names.empty()) return {};
  std::string_view shared = names.front();
  for (const std::string_view name : names) {
    const auto different = std::ranges::mismatch(shared, name).in1 - shared.begin();
    shared = shared.substr(0, static_cast<std::size_t>(different));
  }
  return std::string(shared.substr(0, shared.rfind('/') + 1));  // npos + 1 is 0
}

ImageNames::ImageNames(const std::vector<SourceItem>& items) {
  names_.reserve(items.size());
  for (const SourceItem& item : items) names_.push_back(normal_path(item.name));
  shared_ = shared_folders({names_.begin(), names_.end()});
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const std::string_view name = std::string_view(names_[i]).substr(shared_.size());
    const auto item = static_cast<std::int32_t>(i);
    const auto add_to = [&](Index& index, std::string_view key) {
      add(index.whole, key, item);
      for (auto slash = key.find('/'); slash != std::string_view::npos; slash = key.find('/')) {
        key.remove_prefix(slash + 1);
        add(index.shorter, key, item);
      }
    };
    add_to(full_, name);
    add_to(stems_, without_extension(name));
  }
}

void ImageNames::add(Keys& keys, std::string_view key, std::int32_t item) {
  const auto [entry, added] = keys.emplace(key, NameMatch{item});
  if (!added) entry->second.other = item;
}

NameMatch ImageNames::find(std::string_view name) const {
  const std::string path = normal_path(name);
  NameMatch match = find_in(full_, path);
  match.with_extension = match.item >= 0;
  if (match.item < 0) match = find_in(stems_, path);
  if (match.item < 0) return match;
  const std::string_view item = names_[static_cast<std::size_t>(match.item)];
  match.folders = compare_folders(path, match.with_extension ? item : without_extension(item));
  return match;
}

NameMatch ImageNames::find_in(const Index& index, std::string_view name) const {
  if (name.starts_with(shared_)) {
    const auto found = index.whole.find(name.substr(shared_.size()));
    if (found != index.whole.end()) return found->second;
  }
  if (const auto found = index.whole.find(name); found != index.whole.end()) return found->second;
  if (const auto found = index.shorter.find(name); found != index.shorter.end()) return found->second;
  for (auto slash = name.find('/'); slash != std::string_view::npos; slash = name.find('/', slash + 1)) {
    const auto found = index.whole.find(name.substr(slash + 1));
    if (found != index.whole.end()) return found->second;
  }
  // The folders differ: only a last part that a single image has can be meant.
  const auto found = index.shorter.find(file_name(name));
  return found != index.shorter.end() && found->second.other < 0 ? found->second : NameMatch{};
}

}  // namespace convoy
