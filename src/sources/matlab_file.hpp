// Struct arrays in MATLAB's files of version 5, of which the ILSVRC2012 development kit has one (meta.mat).
// Used by imagenet_devkit. Read here, not by matio: a damaged or hostile file makes matio 1.5 read where it
// must not, and the part of the format that the kit needs is small.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace convoy {

// The fields of one element that are a number or text (as UTF-8). Others (lists, cells, nothing at all) are
// left out.
using MatlabRecord = std::map<std::string, std::variant<double, std::string>>;

// The elements of the struct array `name`, in order. `bytes`: the whole file. Throws ExitCode::bad_data,
// without the file's name, for a file that is not of this version, is damaged, or has no such array.
std::vector<MatlabRecord> read_matlab_structs(std::string_view bytes, std::string_view name);

}  // namespace convoy
