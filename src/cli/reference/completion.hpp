// Completion for shells: scripts that complete commands, options, their words, files and folders, for convoy
// and for the scripts that start it (launch/local, launch/mpirun). Used by `convoy completion`.
#pragma once

#include <span>
#include <string>

#include "cli/reference/command_reference.hpp"

namespace convoy {

// For bash 4.4 and newer; needs no package.
std::string bash_completion(std::span<const CommandReference> commands);

// For zsh 5; a function for a folder of $fpath, or to be sourced after compinit.
std::string zsh_completion(std::span<const CommandReference> commands);

}  // namespace convoy
