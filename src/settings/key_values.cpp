#include "settings/key_values.hpp"

#include <sstream>

#include "base/error.hpp"
#include "settings/values.hpp"

namespace convoy {

namespace {

// Calls take(line, number) for each line of `text`, counted from 1.
template <typename Take>
void for_lines(std::string_view text, Take&& take) {
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) take(std::string_view(line), ++number);
}

KeyValue split(std::string_view line, std::size_t equals, int number) {
  return {.key = std::string(trimmed(line.substr(0, equals))),
          .value = std::string(trimmed(line.substr(equals + 1))),
          .line = number};
}

}  // namespace

std::vector<KeyValue> read_key_values(std::string_view text, std::string_view source) {
  std::vector<KeyValue> values;
  for_lines(text, [&](std::string_view line, int number) {
    const std::string_view content = trimmed(line.substr(0, line.find('#')));
    if (content.empty()) return;
    const auto equals = content.find('=');
    if (equals == std::string_view::npos)
      fail(ExitCode::usage,
           "{}:{}: '{}' is not of the form key = value; is this a recipe of Convoy, like those in configs/?",
           source, number, content);
    values.push_back(split(content, equals, number));
  });
  return values;
}

std::vector<KeyValue> written_key_values(std::string_view text) {
  std::vector<KeyValue> values;
  for_lines(text, [&](std::string_view line, int number) {
    if (const auto equals = line.find('='); equals != std::string_view::npos)
      values.push_back(split(line, equals, number));
  });
  return values;
}

}  // namespace convoy
