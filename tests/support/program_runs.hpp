// A tiny store and a few steps of training through the real program, shared by the tests of the command line
// and of whole runs. The program is CONVOY_PROGRAM.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace convoy::test {

// `convoy synthesize`: 4 classes, 64 training and 32 validation images of 64 × 64, 16 images a shard or so.
void make_tiny_store(const std::string& program, const std::filesystem::path& store);

// `convoy train` of alexnet-mini on that store (4 steps an epoch), with fixed seed and one CPU thread; `more`
// options go behind and win.
std::vector<std::string> tiny_training(const std::string& program, const std::filesystem::path& store,
                                       const std::filesystem::path& output,
                                       const std::vector<std::string>& more = {});

// Flips a bit of one image in the store's first training shard.
void damage_an_image(const std::filesystem::path& store);

// How often `part` stands in `text`.
int occurrences(const std::string& text, const std::string& part);

}  // namespace convoy::test
