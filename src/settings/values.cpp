#include "settings/values.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "base/text_list.hpp"
#include "settings/spelling.hpp"

namespace convoy {
namespace {

// The number that the whole of `text` is.
bool read_real(std::string_view text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

// std::errc() if the whole of `text` is a number of this type, result_out_of_range if it is one beyond it.
template <typename Integer>
std::errc read_integer(std::string_view text, Integer& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return end == text.data() + text.size() ? error : std::errc::invalid_argument;
}

// Updates take rates as float32.
bool is_rate(double value) {
  return value >= 0 && value <= std::numeric_limits<float>::max();
}

bool lies_within(double value, const Bounds& bounds) {
  return (bounds.above ? value > bounds.least : value >= bounds.least) &&
         (bounds.below ? value < bounds.most : value <= bounds.most);
}

std::string described(const Bounds& bounds) {
  constexpr double limit = std::numeric_limits<double>::max();
  const bool from = bounds.least > -limit, to = bounds.most < limit;
  if (from && to && !bounds.above && !bounds.below)
    return fmt::format("a number from {} to {}", bounds.least, bounds.most);
  std::string text = "a number";
  if (from) text += fmt::format(" {} {}", bounds.above ? "greater than" : "of at least", bounds.least);
  if (to)
    text += fmt::format(" {}{} {}", from ? "and " : "", bounds.below ? "less than" : "at most", bounds.most);
  return text;
}

// Splits "12.5epochs" into number and unit.
std::pair<std::string_view, std::string_view> number_and_unit(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && ((text[digits] >= '0' && text[digits] <= '9') || text[digits] == '.'))
    ++digits;
  return {text.substr(0, digits), trimmed(text.substr(digits))};
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string> split_list(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.emplace_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::int64_t parse_integer(std::string_view text, std::int64_t least, std::int64_t most) {
  std::int64_t value = 0;
  const std::errc error = read_integer(trimmed(text), value);
  if (error == std::errc() && value >= least && value <= most) return value;
  // The largest number of the type is told only to whom it matters.
  if (most == std::numeric_limits<std::int64_t>::max() && error != std::errc::result_out_of_range)
    fail(ExitCode::usage, "'{}' is not a whole number of at least {}", text, least);
  fail(ExitCode::usage, "'{}' is not a whole number from {} to {}", text, least, most);
}

std::uint64_t parse_unsigned(std::string_view text) {
  std::uint64_t value = 0;
  if (read_integer(trimmed(text), value) != std::errc())
    fail(ExitCode::usage, "'{}' is not a whole number from 0 to {}", text,
         std::numeric_limits<std::uint64_t>::max());
  return value;
}

double parse_real(std::string_view text, const Bounds& bounds) {
  double value = 0;
  const std::string_view number = trimmed(text);
  const auto slash = number.find('/');
  double divisor = 1;
  const bool whole =
      read_real(trimmed(number.substr(0, slash)), value) &&
      (slash == std::string_view::npos || read_real(trimmed(number.substr(slash + 1)), divisor));
  value /= divisor;
  if (!whole || !std::isfinite(value) || !lies_within(value, bounds))
    fail(ExitCode::usage, "'{}' is not {}", text, described(bounds));
  return value;
}

bool parse_switch(std::string_view text) {
  return parse_word<bool>(trimmed(text), {{"on", true},
                                          {"off", false},
                                          {"true", true},
                                          {"false", false},
                                          {"yes", true},
                                          {"no", false},
                                          {"1", true},
                                          {"0", false}});
}

std::uint64_t parse_bytes(std::string_view text) {
  const auto [number, unit] = number_and_unit(trimmed(text));
  double value = 0;
  double factor = 0;
  static constexpr std::pair<std::string_view, double> units[] = {{"", 1},
                                                                  {"B", 1},
                                                                  {"kB", 1e3},
                                                                  {"KB", 1e3},
                                                                  {"MB", 1e6},
                                                                  {"GB", 1e9},
                                                                  {"K", 1e3},
                                                                  {"M", 1e6},
                                                                  {"G", 1e9},
                                                                  {"KiB", 1024},
                                                                  {"MiB", 1024.0 * 1024},
                                                                  {"GiB", 1024.0 * 1024 * 1024}};
  for (const auto& [name, bytes] : units)
    if (name == unit) factor = bytes;
  if (factor == 0 || !read_real(number, value) || value * factor < 1 || value * factor > 1e15)
    fail(ExitCode::usage, "'{}' is not a size in bytes, such as 1GB, 256MiB or 1000000", text);
  return static_cast<std::uint64_t>(value * factor);
}

Interval parse_interval(std::string_view text) {
  if (trimmed(text) == "never") return {.count = 0, .epochs = true, .never = true};
  const auto [number, unit] = number_and_unit(trimmed(text));
  std::int64_t count = 0;
  const bool steps = unit == "step" || unit == "steps";
  const bool epochs = unit == "epoch" || unit == "epochs";
  constexpr std::int64_t most = 1'000'000'000;  // so that epochs times steps of an epoch can be counted
  const std::errc error = read_integer(number, count);
  if ((steps || epochs) && (error == std::errc::result_out_of_range || count > most))
    fail(ExitCode::usage, "'{}' is too long an interval: at most {} steps or epochs are accepted", text,
         most);
  if (error != std::errc() || (!steps && !epochs && (count != 0 || !unit.empty())))
    fail(ExitCode::usage, "'{}' is not a count with its unit: 500steps, 1epoch, 0 or never", text);
  return {.count = count, .epochs = !steps};
}

std::string interval_text(const Interval& interval) {
  if (interval.never) return "never";
  if (interval.count == 0) return "0";
  return fmt::format("{}{}{}", interval.count, interval.epochs ? "epoch" : "step",
                     interval.count == 1 ? "" : "s");
}

StepRange parse_step_range(std::string_view text) {
  constexpr std::int64_t farthest = 1'000'000'000;  // so that it can be counted on from any step
  constexpr std::int64_t most = 1000;               // a trace holds some hundred events of each rank's step
  const std::string_view range = trimmed(text);
  const auto dash = range.find('-');
  StepRange steps;
  const std::errc first = read_integer(trimmed(range.substr(0, dash)), steps.first);
  steps.last = steps.first;
  const std::errc last = dash == std::string_view::npos
                             ? std::errc()
                             : read_integer(trimmed(range.substr(dash + 1)), steps.last);
  if (first != std::errc() || last != std::errc() || steps.first < 1 || steps.last < steps.first ||
      steps.last > farthest)
    fail(ExitCode::usage, "'{}' is not a range of steps such as 11-30; the first step is 1", text);
  if (steps.last - steps.first >= most)
    fail(ExitCode::usage, "'{}' covers {} steps; at most {} are accepted", text, steps.last - steps.first + 1,
         most);
  return steps;
}

std::string step_range_text(const StepRange& range) {
  return fmt::format("{}-{}", range.first, range.last);
}

InputScale parse_input_scale(const std::string& text) {
  InputScale scale{.by_deviation = text == "std", .number = 1, .text = text};
  if (text == "std" || text == "none") return scale;
  try {
    scale.number = parse_real(text, {.least = 1e-9});
  } catch (const Error&) {
    fail(ExitCode::usage, "'{}' is not std, none or a number such as 1/255", text);
  }
  return scale;
}

DatedRate parse_dated_rate(std::string_view text) {
  const auto refuse = [&]() {
    fail(ExitCode::usage,
         "'{}' is not a rate: write 0.01, or with dates 0.01, 25:0.001, 51:1e-4 (epoch:rate, epochs rising)",
         text);
  };
  const auto check_size = [&](double value) {
    if (!is_rate(value))
      fail(ExitCode::usage, "'{}': a rate must lie from 0 to {:.2g}", text,
           std::numeric_limits<float>::max());
  };
  DatedRate rate;
  const std::vector<std::string> parts = split_list(text, ',');
  if (!read_real(parts[0], rate.first)) refuse();
  check_size(rate.first);
  double previous = 0;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto colon = parts[i].find(':');
    double epoch = 0;
    double value = 0;
    if (colon == std::string::npos ||
        !read_real(trimmed(std::string_view(parts[i]).substr(0, colon)), epoch) ||
        !read_real(trimmed(std::string_view(parts[i]).substr(colon + 1)), value) || epoch <= previous)
      refuse();
    check_size(value);
    rate.later.emplace_back(epoch, value);
    previous = epoch;
  }
  return rate;
}

std::string rate_text(const DatedRate& rate) {
  std::string text = fmt::format("{}", rate.first);
  for (const auto& [epoch, value] : rate.later) text += fmt::format(", {}:{}", epoch, value);
  return text;
}

RateRule parse_rate_rule(std::string_view text) {
  RateRule rule;
  const std::string_view value = trimmed(text);
  if (value.starts_with('x')) {
    double factor = 0;
    if (!read_real(value.substr(1), factor) || factor < 0)
      fail(ExitCode::usage, "'{}' is not a multiple of the rate such as x2, nor a rate such as 0.002", text);
    rule.factor = factor;
  } else {
    rule.own = parse_dated_rate(value);
  }
  return rule;
}

std::string rate_rule_text(const RateRule& rule) {
  if (rule.own) return rate_text(*rule.own);
  return fmt::format("x{}", rule.factor.value_or(1));
}

void refuse_word(std::string_view text, const std::vector<std::string_view>& words) {
  const std::string near = nearest_name(text, words);
  fail(ExitCode::usage, "'{}' is not one of {}{}", text, text_list(words),
       near.empty() ? "" : fmt::format(" (did you mean {}?)", near));
}

}  // namespace convoy
