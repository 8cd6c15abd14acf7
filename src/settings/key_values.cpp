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

// The part of a line before a comment: a '#' at the start or after a blank, outside quotation marks around a
// value.
std::string_view without_comment(std::string_view line) {
  const auto equals = line.find('=');
  std::size_t from = 0;
  if (equals != std::string_view::npos) {
    const auto value = line.find_first_not_of(" \t", equals + 1);
    if (value != std::string_view::npos && line[value] == '"') {
      const auto end = line.find('"', value + 1);
      if (end != std::string_view::npos && line.substr(0, equals).find('#') == std::string_view::npos)
        from = end;
    }
  }
  for (std::size_t at = from; (at = line.find('#', at)) != std::string_view::npos; ++at)
    if (at == 0 || line[at - 1] == ' ' || line[at - 1] == '\t') return line.substr(0, at);
  return line;
}

// The value between quotation marks, which may hold " #" and blanks at its ends.
std::string unquoted(const std::string& value, std::string_view source, int number) {
  if (!value.starts_with('"')) return value;
  if (value.size() < 2 || value.find('"', 1) != value.size() - 1)
    fail(ExitCode::usage, "{}:{}: {} is not a value between two quotation marks", source, number, value);
  return value.substr(1, value.size() - 2);
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
    const std::string_view content = trimmed(without_comment(line));
    if (content.empty()) return;
    const auto equals = content.find('=');
    if (equals == std::string_view::npos || trimmed(content.substr(0, equals)).empty())
      fail(ExitCode::usage,
           "{}:{}: '{}' is not of the form key = value; is this a recipe of Convoy, like those in configs/?",
           source, number, content);
    KeyValue entry = split(content, equals, number);
    entry.value = unquoted(entry.value, source, number);
    values.push_back(std::move(entry));
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
