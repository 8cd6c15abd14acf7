// Quantities with units as options of `convoy plan` take and print them. Parsing functions throw
// Error(ExitCode::usage) whose text says what would be accepted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace convoy {

// "5us", "1ms", "0.2s": seconds, 0 included.
double parse_seconds(std::string_view text);

// "400Gb/s" (bits), "50GB/s", "900MB/s" (bytes): bytes a second.
double parse_bandwidth(std::string_view text);

// Slurm's forms of a time limit, in seconds: "90" (minutes), "90:00", "12:00:00", "1-12", "1-12:00:00".
double parse_time_limit(std::string_view text);
// "12:00:00", "1-12:00:00".
std::string time_limit_text(double seconds);

// "1,2,4,8": at least 1 and ascending, each once.
std::vector<int> parse_rank_counts(std::string_view text);

std::string bytes_text(double bytes);          // "488.9 MB"
std::string bandwidth_text(double bandwidth);  // "50.0 GB/s"
std::string latency_text(double seconds);      // "14.0 µs"

}  // namespace convoy
