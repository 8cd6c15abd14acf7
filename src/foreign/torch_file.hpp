// Files of torch.save: the zip that it writes since version 1.6, and the sequence of pickles and storages
// that it wrote before. Used by foreign_file and `convoy export`.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "foreign/named_tensor.hpp"

namespace convoy {

// Whether the file begins as one of the three does. Throw ExitCode::io; is_torch_tar also
// ExitCode::bad_data for a damaged tar.
bool is_torch_zip(const std::filesystem::path& path);
bool is_old_torch_file(const std::filesystem::path& path);
bool is_torch_tar(const std::filesystem::path& path);

// The state dict in the file. Of its pickle only what a state dict needs is read, and nothing is called.
// Throws ExitCode::bad_data naming file and fault; ExitCode::io.
std::vector<NamedTensor> read_torch_zip(const std::filesystem::path& path);
std::vector<NamedTensor> read_old_torch_file(const std::filesystem::path& path);
std::vector<NamedTensor> read_torch_tar(const std::filesystem::path& path);

// Writes a state dict as torch.save does since 1.6, the tensors as float32 and each at a multiple of 64
// bytes, so that torch.load can map it; a complete file or none. Throws ExitCode::io.
void write_torch_zip(const std::filesystem::path& path, std::span<const NamedTensor> tensors);

}  // namespace convoy
