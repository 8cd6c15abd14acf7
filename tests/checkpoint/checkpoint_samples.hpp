// A small network and checkpoints of it with distinct contents, for the tests of checkpoints.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "checkpoint/checkpoint.hpp"

namespace convoy::test {

// Two convolutions (one grouped) and a fully connected layer of `outputs` classes.
NetSpec small_network(int outputs = 5);

// Every value differs between steps and between buffers. `mean_image`: a mean for each pixel.
Checkpoint sample_checkpoint(const ParameterTable& table, std::int64_t step, bool mean_image = false);

// As sample_checkpoint, whole equality (NaN equals NaN).
bool same_content(const Checkpoint& a, const Checkpoint& b);

std::string file_bytes(const std::filesystem::path& path);
void write_bytes(const std::filesystem::path& path, const std::string& bytes);

}  // namespace convoy::test
