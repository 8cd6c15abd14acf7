// One kind of input for libFuzzer: what each program of this folder defines, and what all of them use.
// fuzz_target.cpp calls them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace convoy::fuzz {

struct Seed {
  std::string name, bytes;
};

// Sound inputs to begin with, made by the program's own writers and the tests' builders of files.
std::vector<Seed> seeds();

// Reads an input as the program would. Errors of the categories that a file can cause are as good as success;
// any other exception, a crash, and memory out of proportion are findings.
void read_input(std::string_view bytes);

// Calls `read` and ignores an error that a file may cause, so that the next reader has its turn. Any other is
// a finding.
void attempt(const std::function<void()>& read);

// A path that opens these bytes until the next call.
std::filesystem::path file_of(std::string_view bytes);

// A folder in memory, for readers of folders and for HDF5, which looks up the true name of a file; write_part
// makes a file in it and returns its path.
std::filesystem::path folder();
std::filesystem::path write_part(const std::string& name, std::string_view bytes);

// The bytes with the sums of their tar headers corrected.
std::string with_tar_sums(std::string_view bytes);

// The part of `bytes` before the first zero byte, which is removed together with it.
std::string_view take_text(std::string_view& bytes);

}  // namespace convoy::fuzz
