// Finds the image that a line of a list names. Lists name images by their paths below some folder, which need
// not be the packed one, and sometimes without folders or extension. Used by the lists of labels.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sources/source.hpp"

namespace convoy {

struct NameMatch {
  std::int32_t item = -1;   // -1: none
  std::int32_t other = -1;  // not -1: the name could also mean this item
  bool with_extension = false;
  // Whether the name and the item's path have folders in common, apart from those before the shorter of the
  // two. `different` is a match by the end of the path alone.
  enum class Folders { absent, equal, different } folders = Folders::absent;
};

// The leading folders, with their last slash, that all names share.
std::string shared_folders(const std::vector<std::string_view>& names);

class ImageNames {
 public:
  explicit ImageNames(const std::vector<SourceItem>& items);

  // The item with this path; failing that, the only item whose path ends with it, or the item whose path is
  // the longest end of it, or the only item with the same last part. Then the same without the items'
  // extensions. Leading folders that all items share do not count.
  NameMatch find(std::string_view name) const;

 private:
  // The numbers of the items with this key; `other` is set for a second one.
  using Keys = std::unordered_map<std::string_view, NameMatch>;
  struct Index {
    Keys whole;    // paths without the folders that all items share
    Keys shorter;  // their ends, after each of their slashes
  };
  static void add(Keys& keys, std::string_view key, std::int32_t item);
  NameMatch find_in(const Index& index, std::string_view name) const;

  std::vector<std::string> names_;
  std::string shared_;
  Index full_, stems_;
};

}  // namespace convoy
