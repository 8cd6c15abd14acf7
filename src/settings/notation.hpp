// How the value of an option is written: one Notation for each kind of value serves reading it, writing it
// down again, and the help. Used by settings/train_options.cpp.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "settings/deadline.hpp"
#include "settings/train_configuration.hpp"
#include "settings/values.hpp"

namespace convoy {

// `parse` throws Error(ExitCode::usage) with what would be accepted; text(parse(t)) parses to the same value.
template <typename Value>
struct Notation {
  std::string value_name;  // in the help: N, FILE, fp32|bf16
  std::function<Value(const std::string&)> parse;
  std::function<std::string(const Value&)> text;
  std::vector<std::string> words = {};  // values that completion offers beside those in value_name
};

template <typename Integer>
Notation<Integer> whole_number(std::int64_t least, std::int64_t most) {
  return {.value_name = "N",
          .parse = [=](const std::string& text) -> Integer {
            return static_cast<Integer>(parse_integer(text, least, most));
          },
          .text = [](const Integer& value) { return fmt::format("{}", value); }};
}

inline Notation<std::uint64_t> any_whole_number() {
  return {.value_name = "N",
          .parse = [](const std::string& text) { return parse_unsigned(text); },
          .text = [](const std::uint64_t& value) { return fmt::format("{}", value); }};
}

template <typename Real>
Notation<Real> real_number(const char* value_name, const Bounds& bounds) {
  return {
      .value_name = value_name,
      .parse = [=](const std::string& text) -> Real { return static_cast<Real>(parse_real(text, bounds)); },
      .text = [](const Real& value) { return fmt::format("{}", value); }};
}

template <typename Value>
Notation<Value> one_of(Words<Value> words) {
  std::string names;
  for (const auto& [word, value] : words) {
    if (!names.empty()) names += '|';
    names += word;
  }
  return {.value_name = std::move(names),
          .parse = [=](const std::string& text) -> Value { return parse_word<Value>(trimmed(text), words); },
          .text = [=](const Value& value) { return std::string(word_of(words, value)); }};
}

inline Notation<bool> on_or_off() {
  return {.value_name = "on|off",
          .parse = [](const std::string& text) { return parse_switch(text); },
          .text = [](const bool& value) { return std::string(value ? "on" : "off"); }};
}

inline Notation<std::string> plain_text(const char* value_name) {
  return {.value_name = value_name,
          .parse = [](const std::string& text) { return text; },
          .text = [](const std::string& value) { return value; }};
}

// An empty text is a mistake, such as a variable of a script that is not set.
inline Notation<std::string> some_text(const char* value_name) {
  return {.value_name = value_name,
          .parse =
              [](const std::string& text) {
                if (trimmed(text).empty()) fail(ExitCode::usage, "the value is empty");
                return text;
              },
          .text = [](const std::string& value) { return value; }};
}

// A value that may be left to a default of somewhere else; it is written down only when it is there.
template <typename Value>
Notation<std::optional<Value>> or_default(Notation<Value> notation) {
  return {
      .value_name = notation.value_name,
      .parse = [=](const std::string& text) -> std::optional<Value> { return notation.parse(text); },
      .text =
          [=](const std::optional<Value>& value) { return value ? notation.text(*value) : std::string(); }};
}

inline Notation<Interval> interval() {
  return {.value_name = "INTERVAL", .parse = parse_interval, .text = interval_text};
}

inline Notation<StepRange> step_range() {
  return {.value_name = "FROM-TO", .parse = parse_step_range, .text = step_range_text};
}

inline Notation<Deadline> deadline() {
  return {.value_name = "TIME|auto|none",
          .parse = [](const std::string& text) { return parse_deadline(text); },
          .text = [](const Deadline& value) { return value.text; }};
}

inline Notation<DatedRate> dated_rate() {
  return {.value_name = "RATE", .parse = parse_dated_rate, .text = rate_text};
}

}  // namespace convoy
