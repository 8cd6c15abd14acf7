// The recipes that come with Convoy (the files of configs/), found by name wherever the program was built,
// installed or unpacked. cli/option_table reads `--config` through it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace convoy {

// The folders that may hold recipes, in the order in which they are searched: share/convoy/configs of the
// prefix that the program `executable` is installed in, then configs/ of the source tree that it was built
// from.
std::vector<std::filesystem::path> recipe_folders(const std::filesystem::path& executable);

// The same of the running program.
std::vector<std::filesystem::path> recipe_folders();

// The names of the recipes in these folders, sorted.
std::vector<std::string> recipe_names(const std::vector<std::filesystem::path>& folders);

// The file meant by `given`: a file of that path if there is one, otherwise the recipe of that name, with or
// without .cfg, in the first folder that has it. A path that is neither is returned as it was given, so that
// reading it fails with the reason; a plain name that is neither throws ExitCode::io with the names of all
// recipes.
std::filesystem::path find_recipe(std::string_view given, const std::vector<std::filesystem::path>& folders);

}  // namespace convoy
