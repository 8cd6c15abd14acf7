#include "cli/reference/command_reference.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/command.hpp"
#include "cli/common_options.hpp"
#include "settings/recipes.hpp"
#include "settings/values.hpp"

namespace convoy {
namespace {

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

void add(ValueKind& kind, const std::vector<std::string>& words) {
  kind.words.insert(kind.words.end(), words.begin(), words.end());
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const auto& command : make_commands()) names.emplace_back(command->name());
  return names;
}

}  // namespace

std::vector<CommandReference> command_references() {
  std::vector<CommandReference> references;
  for (const auto& command : make_commands()) {
    OptionTable table(fmt::format("convoy {}", command->name()));
    CommonOptions common;
    command->declare(table);
    common.declare(table, command->uses_ranks());
    references.push_back({.name = std::string(command->name()),
                          .summary = std::string(command->summary()),
                          .description = std::string(command->description()),
                          .example = std::string(command->example()),
                          .usage = table.usage(),
                          .options = table.options(),
                          .arguments = table.arguments()});
  }
  return references;
}

ValueKind kind_of(std::string_view value_name, const std::vector<std::string>& further_words) {
  constexpr std::string_view files[] = {"FILE", "PATH", "CHECKPOINT", "IMAGE", "SOURCE"};
  constexpr std::string_view folders[] = {"FOLDER", "STORE", "RUN"};
  ValueKind kind;
  for (const std::string& part : split_list(value_name, '|')) {
    if (is_word(part)) kind.words.push_back(part);
    if (std::ranges::find(files, part) != std::end(files)) kind.files = true;
    if (std::ranges::find(folders, part) != std::end(folders)) kind.folders = true;
    if (part == "RECIPE") add(kind, recipe_names(recipe_folders()));
    if (part == "COMMAND") add(kind, command_names());
  }
  add(kind, further_words);
  return kind;
}

std::vector<std::pair<ExitCode, std::string_view>> exit_code_meanings() {
  return {{ExitCode::done, "done"},
          {ExitCode::usage, "wrong usage"},
          {ExitCode::bad_data, "bad data"},
          {ExitCode::bug, "a bug"},
          {ExitCode::device, "device or library failure"},
          {ExitCode::io, "reading or writing failed"},
          {ExitCode::stopped, "stopped on request with a checkpoint saved (start the run again)"},
          {ExitCode::diverged, "training diverged"}};
}

}  // namespace convoy
