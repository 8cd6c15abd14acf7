// Everything that users can type, collected from the commands' own declarations: the source of shell
// completion and man pages, which therefore never lag behind --help.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "cli/option_table.hpp"

namespace convoy {

inline constexpr std::string_view program_summary =
    "Convoy trains AlexNet synchronously over MPI ranks, on images packed into a sharded HDF5 store.";

struct CommandReference {
  std::string name, summary, description, example;
  std::string usage;  // "convoy predict IMAGE… [--option value …]"
  std::vector<OptionFacts> options;
  std::vector<ArgumentFacts> arguments;
};

// All commands, in the order of `convoy --help`, with the options that all share.
std::vector<CommandReference> command_references();

// What may stand where a value is expected: from its name, such as "FILE|RECIPE" or "auto|none|PATH".
struct ValueKind {
  std::vector<std::string> words;
  bool files = false, folders = false;

  bool empty() const { return words.empty() && !files && !folders; }
};

// In value names and names of arguments, alternatives are separated by |. Those in lower case are words that
// are typed; of those in capitals FILE, PATH, CHECKPOINT, IMAGE and SOURCE stand for files, FOLDER, STORE and
// RUN for folders, RECIPE and COMMAND for the names that there are; others (N, RATE) for text.
ValueKind kind_of(std::string_view value_name, const std::vector<std::string>& further_words = {});

// Every exit code and its meaning.
std::vector<std::pair<ExitCode, std::string_view>> exit_code_meanings();

}  // namespace convoy
