// The texts that options take, as values, and back: numbers, sizes, intervals, dated rates, words of a list.
// Used by the options of `convoy train` and the commands' option tables. Every parsing function throws
// Error(ExitCode::usage) whose text says what would be accepted; the caller puts the option (or the line of
// the configuration file) in front of it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/words.hpp"
#include "settings/train_configuration.hpp"

namespace convoy {

std::string_view trimmed(std::string_view text);
std::vector<std::string> split_list(std::string_view text, char separator);  // trimmed parts

// A whole number in [least, most].
std::int64_t parse_integer(std::string_view text, std::int64_t least, std::int64_t most);

// A whole number of 64 bits without a sign, such as a seed.
std::uint64_t parse_unsigned(std::string_view text);

// Where a number must lie; both ends belong to it unless it is `above` the least or `below` the most.
struct Bounds {
  double least = -std::numeric_limits<double>::max(), most = std::numeric_limits<double>::max();
  bool above = false, below = false;
};

// A finite number within the bounds: "0.01", "1e-4", "1/255".
double parse_real(std::string_view text, const Bounds& bounds);

// "11-30", "5": at most a thousand steps, counted from 1.
StepRange parse_step_range(std::string_view text);
std::string step_range_text(const StepRange& range);

// std, none, or a positive number (at least 1e-9) such as 1/255.
InputScale parse_input_scale(const std::string& text);

// "on", "off", "true", "false", "yes", "no", "1", "0".
bool parse_switch(std::string_view text);

// "1GB", "256MiB", "1000000": bytes, at least 1.
std::uint64_t parse_bytes(std::string_view text);

// "500steps", "1epoch", "2 epochs", "0".
Interval parse_interval(std::string_view text);
std::string interval_text(const Interval& interval);

// "0.01, 25:0.001, 51:1e-4": the rate at the start and the epochs from which others hold, ascending.
DatedRate parse_dated_rate(std::string_view text);
std::string rate_text(const DatedRate& rate);

// "x2" (a multiple of the base rate) or a dated rate.
RateRule parse_rate_rule(std::string_view text);
std::string rate_rule_text(const RateRule& rule);

// The value beside `text` in `words`; the error lists the words.
template <typename Value>
Value parse_word(std::string_view text, const Words<Value>& words);

// Throws the error of parse_word.
[[noreturn]] void refuse_word(std::string_view text, const std::vector<std::string_view>& words);

template <typename Value>
Value parse_word(std::string_view text, const Words<Value>& words) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : words) {
    if (name == text) return value;
    names.push_back(name);
  }
  refuse_word(text, names);
}

}  // namespace convoy
