// Man pages, made from what the commands declare. Used by `convoy man`.
#pragma once

#include <span>
#include <string>

#include "cli/reference/command_reference.hpp"

namespace convoy {

// convoy(1): the program and its commands.
std::string man_page_of_program(std::span<const CommandReference> commands);

// convoy-train(1) and so on.
std::string man_page_of(const CommandReference& command);

// A text's characters as roff prints them: backslashes, hyphens, a leading dot, characters beyond ASCII.
std::string roff_text(std::string_view text);

}  // namespace convoy
