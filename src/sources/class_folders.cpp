// The classes of folders, tars and zips: which level of folders they are.

#include <algorithm>
#include <array>
#include <span>

#include "base/error.hpp"
#include "base/lower_case.hpp"
#include "base/text_list.hpp"
#include "sources/image_names.hpp"
#include "sources/source_kinds.hpp"

namespace convoy {

namespace {

enum class SplitWord { none, training, held_out };

// Which split a folder's name stands for: "train", "Validation", "test_set", "val2017", ...
SplitWord split_word(std::string_view folder) {
  constexpr std::array<std::string_view, 3> training{"train", "training", "trainset"};
  constexpr std::array<std::string_view, 10> held_out{
      "val", "valid", "validation", "test", "testing", "testset", "valset", "dev", "eval", "evaluation"};
  constexpr std::array<std::string_view, 7> additions{"set",   "split", "data", "images",
                                                      "image", "imgs",  "img"};
  std::vector<std::string> words(1);
  for (const char c : lower_case(std::string(folder))) {
    if (c >= 'a' && c <= 'z')
      words.back() += c;
    else if ((c >= '0' && c <= '9') || c == '_' || c == '-' || c == ' ' || c == '.')
      words.emplace_back();
    else
      return SplitWord::none;
  }
  std::erase(words, "");
  const auto is_addition = [&](const std::string& word) {
    return std::ranges::find(additions, word) != additions.end();
  };
  if (words.empty() || !std::all_of(words.begin() + 1, words.end(), is_addition)) return SplitWord::none;
  if (std::ranges::find(training, words.front()) != training.end()) return SplitWord::training;
  if (std::ranges::find(held_out, words.front()) != held_out.end()) return SplitWord::held_out;
  return SplitWord::none;
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash + 1);
}

std::string first_part(std::string_view path) {
  const auto slash = path.find('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

std::string_view without_last_slash(std::string_view folders) {
  return folders.substr(0, folders.empty() ? 0 : folders.size() - 1);
}

using Folders = std::set<std::string, std::less<>>;

// The folders directly below `above`; an empty one stands for images there.
Folders folders_inside(const std::vector<std::string_view>& names, std::string_view above) {
  Folders inside;
  for (const std::string_view name : names) inside.insert(first_part(name.substr(above.size())));
  return inside;
}

// The folders, with a slash at the end, that contain all class folders: those that all images share, without
// those at their end that are classes. Throws ExitCode::usage if two levels of folders could be the classes.
std::string folders_above_classes(const std::vector<SourceItem>& items, const SourceRequest& request) {
  std::vector<std::string_view> names;
  names.reserve(items.size());
  for (const SourceItem& item : items) names.push_back(item.name);
  const std::string shared = shared_folders(names);
  std::string_view above = shared;
  Folders inside = folders_inside(names, above);
  const bool has_images = inside.erase("") > 0;
  // A folder with images is a class. Beside several folders, however, an image is a stray one that is in none
  // of the classes.
  if (has_images && inside.size() < 2) above = parent_of(without_last_slash(above));
  const auto is_known = [&](std::string_view folder) {
    return std::ranges::find(request.known, folder) != request.known.end();
  };
  while (!above.empty() && is_known(file_name(without_last_slash(above)))) {
    inside = folders_inside(names, above);
    const auto known_inside = std::ranges::count_if(inside, is_known);
    // All of several folders are classes: the one around them only has the name of one.
    if (known_inside >= 2 && known_inside == std::ssize(inside)) break;
    if (known_inside > 0) {
      fail(ExitCode::usage,
           "{}: its folder {} has the name of a class, and so has a folder inside it, {}: pass the folder "
           "that "
           "contains the class folders, for example {}",
           request.path.string(), without_last_slash(above), *std::ranges::find_if(inside, is_known),
           (request.path / without_last_slash(above)).string());
    }
    above = parent_of(without_last_slash(above));
  }
  return std::string(above);
}

// If the root of a data set were given instead of one of its splits, "train" and "val" would become the
// classes.
void refuse_splits(const SourceIndex& index, const std::string& above, const SourceRequest& request) {
  const auto is_split = [](const std::string& id) { return split_word(id) != SplitWord::none; };
  if (index.classes.empty() || !std::ranges::all_of(index.classes, is_split)) return;
  const bool validation = request.split == "val";
  const auto wanted = std::ranges::find_if(index.classes, [&](const std::string& id) {
    return (split_word(id) == SplitWord::held_out) == validation;
  });
  const std::string& example = wanted != index.classes.end() ? *wanted : index.classes.front();
  fail(ExitCode::usage, "{} contains splits ({}), not classes: pack each one separately, for example {}",
       request.path.string(), text_list(index.classes), (request.path / above / example).string());
}

// Training images packed as the validation split, or the reverse, because the source has only the other one.
void refuse_other_split(const std::string& above, const SourceRequest& request) {
  for (std::string_view rest = above; !rest.empty(); rest = parent_of(without_last_slash(rest))) {
    const std::string_view folder = file_name(without_last_slash(rest));
    const SplitWord word = split_word(folder);
    if (word == SplitWord::none) continue;
    if ((word == SplitWord::held_out) == (request.split == "val")) return;
    fail(ExitCode::usage,
         "all images of {} are in its folder {}, but --split is {}: if that is what you want, pass {}",
         request.path.string(), without_last_slash(rest), request.split, (request.path / rest).string());
  }
}

void warn_of_splits(SourceIndex& index, const SourceRequest& request) {
  bool training = false, held_out = false;
  for (const std::string& id : index.classes) {
    training = training || split_word(id) == SplitWord::training;
    held_out = held_out || split_word(id) == SplitWord::held_out;
  }
  if (training && held_out)
    index.warnings.push_back(
        fmt::format("{}: some of the folders that become classes are named like splits: {}",
                    request.path.string(), text_list(index.classes)));
}

}  // namespace

void warn_of_empty_classes(SourceIndex& index, const std::vector<std::string>& empty,
                           const SourceRequest& request) {
  if (empty.empty()) return;
  constexpr std::size_t most_named = 10;
  const auto named = std::span(empty).first(std::min(empty.size(), most_named));
  index.warnings.push_back(
      fmt::format("{}: these folders contain no image and do not become classes: {}{}", request.path.string(),
                  text_list(named),
                  empty.size() > most_named ? fmt::format(" and {} more", empty.size() - most_named) : ""));
}

void find_classes(SourceIndex& index, const std::set<std::string>& folders, const SourceRequest& request) {
  const std::string above = folders_above_classes(index.items, request);
  std::vector<std::string> class_of_item;
  class_of_item.reserve(index.items.size());
  for (const SourceItem& item : index.items)
    class_of_item.push_back(first_part(std::string_view(item.name).substr(above.size())));
  assign_classes(index, class_of_item);
  refuse_splits(index, above, request);
  refuse_other_split(above, request);
  warn_of_splits(index, request);
  if (index.classes.empty()) return;
  index.class_folder = without_last_slash(above);
  const std::set<std::string> classes(index.classes.begin(), index.classes.end());
  std::vector<std::string> empty;
  for (const std::string& folder : folders) {
    if (!folder.starts_with(above) || folder.find('/', above.size()) != std::string::npos) continue;
    if (!classes.contains(folder.substr(above.size()))) empty.push_back(folder);
  }
  warn_of_empty_classes(index, empty, request);
}

}  // namespace convoy
