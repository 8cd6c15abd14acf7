// Text files that people write: configurations, lists of labels and classes. Editors on Windows begin them
// with a byte-order mark or store them as UTF-16.
#pragma once

#include <filesystem>
#include <string>

namespace convoy {

// The text of a file or pipe without a UTF-8 byte-order mark. Throws ExitCode::io if it cannot be read,
// ExitCode::bad_data if it is UTF-16 or contains a zero byte, which no text file does.
std::string read_text(const std::filesystem::path& path);

}  // namespace convoy
