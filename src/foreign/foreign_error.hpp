// Errors about files that anybody may have made: their text names the file and shows nothing that a terminal
// would obey. For the readers of this folder.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace convoy {

// Text of a file as it can stand in a message: bytes outside ASCII's printable ones become "?", a long text
// is cut.
std::string readable(std::string_view text);

// What `read` returns. Its ExitCode::bad_data do not name the file; this adds the name.
template <typename Read>
auto naming_file(const std::filesystem::path& path, Read&& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.category() != ExitCode::bad_data) throw;
    fail(ExitCode::bad_data, "{}: {}", path.string(), error.what());
  }
}

}  // namespace convoy
