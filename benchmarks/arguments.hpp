// What the command lines of the benchmarks have in common, and their main().
#pragma once

#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace convoy::benchmark {

// "64,128" → {"64", "128"}
inline std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> items;
  std::istringstream stream(text);
  for (std::string item; std::getline(stream, item, ',');)
    if (!item.empty()) items.push_back(item);
  if (items.empty()) fail(ExitCode::usage, "'{}': a list needs at least one item", text);
  return items;
}

// The file to which results are appended for programs (records.hpp).
inline void add_json_option(boost::program_options::options_description& options, std::string& file) {
  options.add_options()("json", boost::program_options::value(&file),
                        "append results to this file, as JSON lines");
}

// Reads `options`, which gets --help; returns false when help was asked for and, by the rank that `leads`,
// printed.
inline bool read_arguments(boost::program_options::options_description& options, int argc, char** argv,
                           bool leads = true) {
  namespace po = boost::program_options;
  options.add_options()("help", "this text");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, options), given);
  if (given.count("help") != 0) {
    if (leads) std::cout << options << '\n';
    return false;
  }
  po::notify(given);
  return true;
}

// Runs `work`; returns the exit code of what it throws. All ranks have the same mistakes of usage: only the
// one that `leads` prints them.
inline int report_errors(const std::function<void()>& work, bool leads = true) {
  try {
    work();
    return 0;
  } catch (const Error& error) {
    if (leads || error.category() != ExitCode::usage) fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.category());
  } catch (const std::exception& error) {
    if (leads) fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(ExitCode::usage);
  }
}

}  // namespace convoy::benchmark
