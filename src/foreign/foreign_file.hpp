// Weights in a file of another program, whichever it is: the one entry to this folder's readers. Used by
// everything that takes weights from a file that Convoy did not write.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "foreign/named_tensor.hpp"

namespace convoy {

// pytorch: the zip that torch.save writes since version 1.6; pytorch_old: what it wrote before.
enum class ForeignFormat { pytorch, pytorch_old, safetensors, caffemodel };

// The format by the file's first bytes and content, not by its name; nothing for any other file, such as a
// checkpoint of Convoy. Throws ExitCode::io if the file cannot be read,
// ExitCode::bad_data for a damaged tar.
std::optional<ForeignFormat> foreign_format(const std::filesystem::path& path);

// "PyTorch", "PyTorch (before 1.6)", "safetensors", "Caffe".
std::string_view name_of(ForeignFormat format);

// The tensors of floating-point numbers in the file, in its order, under their names without the prefixes
// that PyTorch's wrappers add. Tensors of integers (counters) are left out. Throws ExitCode::bad_data or io
// naming the file and what is wrong.
std::vector<NamedTensor> read_foreign(const std::filesystem::path& path);

}  // namespace convoy
