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

// Of a file that people write: lines of `text` without blanks around key and value; empty lines and what
// follows a '#' are left out. Throws ExitCode::usage, naming `source` (for instance a path) and line, for a
// line without '='.
std::vector<KeyValue> read_key_values(std::string_view text, std::string_view source);

// Of a text that configuration_text.hpp wrote, where a '#' belongs to a value (a path). Other lines are left
// out.
std::vector<KeyValue> written_key_values(std::string_view text);

}  // namespace convoy
