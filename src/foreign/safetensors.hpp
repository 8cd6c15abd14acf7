// Files of the safetensors format: the length of a JSON header, the header (name, number format, shape and
// place of each tensor, and texts about the whole), the numbers. Used by foreign_file and `convoy export`.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "foreign/named_tensor.hpp"

namespace convoy {

using SafetensorsMetadata = std::map<std::string, std::string>;

struct SafetensorsContent {
  std::vector<NamedTensor> tensors;  // in the order of their places; tensors of integers are left out
  SafetensorsMetadata metadata;
};

// Whether the file begins as a safetensors file does. Throws ExitCode::io.
bool is_safetensors(const std::filesystem::path& path);

// Throws ExitCode::bad_data naming file, tensor and fault; ExitCode::io.
SafetensorsContent read_safetensors(const std::filesystem::path& path);

// Writes the tensors as float32, in their order; a complete file or none. "format": "pt" (PyTorch's
// conventions), which some programs require, is added to `metadata`. Throws ExitCode::io.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const SafetensorsMetadata& metadata = {});

}  // namespace convoy
