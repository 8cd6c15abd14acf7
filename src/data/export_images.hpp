// Writes images of a store as PNG files, for viewing or for `convoy predict`. Used by `convoy synthesize
// --export`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "data/store.hpp"

namespace convoy {

// Writes the first `count` images of a split, in stored order, as folder/<class id>-<index>.png (with '_' for
// each slash of the id); creates the folder if needed. Returns the number of images written. Throws
// ExitCode::usage if the store does not have the split, bad_data, io.
std::int64_t export_images(const Store& store, std::string_view split, std::int64_t count,
                           const std::filesystem::path& folder);

}  // namespace convoy
