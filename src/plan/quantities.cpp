#include "plan/quantities.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "settings/values.hpp"

namespace convoy {
namespace {

using Units = std::vector<std::pair<std::string_view, double>>;

// A number from 0 on and one of the units.
double parse_with_unit(std::string_view text, const Units& units, const char* accepted) {
  const std::string_view all = trimmed(text);
  for (const auto& [unit, factor] : units) {
    if (!all.ends_with(unit)) continue;
    const std::string_view number = trimmed(all.substr(0, all.size() - unit.size()));
    if (number.empty() || (number.back() != '.' && (number.back() < '0' || number.back() > '9'))) continue;
    return parse_real(number, {.least = 0, .most = 1e15}) * factor;
  }
  fail(ExitCode::usage, "'{}' is not {}", text, accepted);
}

constexpr const char* limits = "a time limit as Slurm takes it: minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM:SS";

}  // namespace

double parse_seconds(std::string_view text) {
  return parse_with_unit(text, {{"ns", 1e-9}, {"us", 1e-6}, {"µs", 1e-6}, {"ms", 1e-3}, {"s", 1}},
                         "a time such as 5us, 1ms or 0.2s");
}

double parse_bandwidth(std::string_view text) {
  const double bandwidth = parse_with_unit(text,
                                           {{"Gb/s", 1e9 / 8},
                                            {"Mb/s", 1e6 / 8},
                                            {"Tb/s", 1e12 / 8},
                                            {"GB/s", 1e9},
                                            {"MB/s", 1e6},
                                            {"TB/s", 1e12}},
                                           "a bandwidth such as 400Gb/s (bits) or 50GB/s (bytes)");
  if (bandwidth <= 0) fail(ExitCode::usage, "'{}': a bandwidth is greater than 0", text);
  return bandwidth;
}

double parse_time_limit(std::string_view text) {
  std::string_view rest = trimmed(text);
  double days = 0;
  const std::size_t dash = rest.find('-');
  const bool dated = dash != std::string_view::npos;
  if (dated) {
    days = static_cast<double>(parse_integer(rest.substr(0, dash), 0, 3650));
    rest = rest.substr(dash + 1);
  }
  std::vector<double> parts;
  for (const std::string& part : split_list(rest, ':')) {
    if (part.empty()) fail(ExitCode::usage, "'{}' is not {}", text, limits);
    parts.push_back(static_cast<double>(parse_integer(part, 0, 1'000'000)));
  }
  double seconds = 0;
  if (parts.size() == 1)
    seconds = dated ? parts[0] * 3600 : parts[0] * 60;
  else if (parts.size() == 2)
    seconds = dated ? parts[0] * 3600 + parts[1] * 60 : parts[0] * 60 + parts[1];
  else if (parts.size() == 3)
    seconds = parts[0] * 3600 + parts[1] * 60 + parts[2];
  else
    fail(ExitCode::usage, "'{}' is not {}", text, limits);
  seconds += days * 86400;
  if (seconds < 60) fail(ExitCode::usage, "'{}': a time limit is at least a minute", text);
  return seconds;
}

std::string time_limit_text(double seconds) {
  const auto whole = static_cast<long long>(seconds);
  const long long days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60;
  const std::string time = fmt::format("{:02}:{:02}:{:02}", hours, minutes, whole % 60);
  return days > 0 ? fmt::format("{}-{}", days, time) : time;
}

std::vector<int> parse_rank_counts(std::string_view text) {
  std::vector<int> counts;
  for (const std::string& part : split_list(text, ',')) {
    counts.push_back(static_cast<int>(parse_integer(part, 1, 1'000'000)));
    if (counts.size() > 1 && counts[counts.size() - 2] >= counts.back())
      fail(ExitCode::usage, "'{}' does not ascend: list numbers of ranks such as 1,2,4,8", text);
  }
  return counts;
}

std::string bytes_text(double bytes) {
  if (bytes >= 1e12) return fmt::format("{:.2f} TB", bytes / 1e12);
  if (bytes >= 1e10) return fmt::format("{:.1f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.1f} kB", bytes / 1e3);
}

std::string bandwidth_text(double bandwidth) {
  if (std::isinf(bandwidth)) return "unlimited";
  return bandwidth >= 1e9 ? fmt::format("{:.2f} GB/s", bandwidth / 1e9)
                          : fmt::format("{:.1f} MB/s", bandwidth / 1e6);
}

std::string latency_text(double seconds) {
  return seconds >= 1e-3 ? fmt::format("{:.2f} ms", seconds * 1e3) : fmt::format("{:.1f} µs", seconds * 1e6);
}

}  // namespace convoy
