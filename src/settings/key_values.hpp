// "key = value" lines: configuration files, and the configurations in checkpoints and run.json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convoy {

struct KeyValue {
  std::string key, value;
  int line = 0;  // counted from 1
};

// Of a file that people write: lines of `text` without blanks around key and value, nor quotation marks
// around a value. Empty lines and comments are left out: a comment begins with a '#' at the start of a line
// or after a blank. Throws ExitCode::usage, naming `source` (for instance a path) and line, for a line
// without '=' and for an open quotation mark.
std::vector<KeyValue> read_key_values(std::string_view text, std::string_view source);

// Of a text that configuration_text.hpp wrote, where a '#' belongs to a value (a path). Other lines are left
// out.
std::vector<KeyValue> written_key_values(std::string_view text);

}  // namespace convoy
