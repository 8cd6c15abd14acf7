#include "settings/recipes.hpp"

#include <fmt/format.h>

#include <set>

#include "base/error.hpp"
#include "base/text_list.hpp"
#include "settings/spelling.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view extension = ".cfg";

std::set<std::string> names_in(const std::vector<fs::path>& folders) {
  std::set<std::string> names;
  for (const fs::path& folder : folders) {
    std::error_code ignored;  // of folders that are not there
    for (const auto& entry : fs::directory_iterator(folder, ignored))
      if (entry.path().extension() == extension) names.insert(entry.path().stem().string());
  }
  return names;
}

[[noreturn]] void refuse(std::string_view given, const std::vector<fs::path>& folders) {
  const std::set<std::string> names = names_in(folders);
  if (names.empty()) {
    std::vector<std::string> searched;
    searched.reserve(folders.size());
    for (const fs::path& folder : folders) searched.push_back(folder.string());
    fail(ExitCode::io, "there is no such file, and no recipe is installed: looked in {}",
         text_list(searched));
  }
  const std::string near = nearest_name(given, {names.begin(), names.end()});
  fail(ExitCode::io, "there is no such file and no recipe of that name{}; the recipes are {}",
       near.empty() ? "" : fmt::format(" (did you mean {}?)", near), text_list(names));
}

}  // namespace

std::vector<fs::path> recipe_folders(const fs::path& executable) {
  const fs::path folder = executable.parent_path();
  const fs::path below_prefix = fs::path("share") / "convoy" / "configs";
  // PREFIX/bin/convoy of an installation; PREFIX/lib/convoy/convoy of an unpacked bundle.
  return {folder.parent_path() / below_prefix, folder.parent_path().parent_path() / below_prefix,
          CONVOY_SOURCE_CONFIGS};
}

std::vector<fs::path> recipe_folders() {
  std::error_code ignored;  // without /proc only the source tree is searched
  return recipe_folders(fs::read_symlink("/proc/self/exe", ignored));
}

std::vector<std::string> recipe_names(const std::vector<fs::path>& folders) {
  const std::set<std::string> names = names_in(folders);
  return {names.begin(), names.end()};
}

fs::path find_recipe(std::string_view given, const std::vector<fs::path>& folders) {
  std::error_code ignored;
  const bool plain_name = !given.empty() && given.find('/') == std::string_view::npos;
  const bool exists = fs::exists(given, ignored);
  if (!plain_name || (exists && !fs::is_directory(given, ignored))) return given;
  const std::string stem(given.ends_with(extension) ? given.substr(0, given.size() - extension.size())
                                                    : given);
  for (const fs::path& folder : folders)
    if (fs::path file = folder / (stem + std::string(extension)); fs::exists(file, ignored)) return file;
  if (exists) return given;
  refuse(stem, folders);
}

}  // namespace convoy
