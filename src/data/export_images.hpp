// Images of a store as PNG files, for people who want to look at them or give them to `convoy predict`. Used
// by `convoy synthesize --export`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "data/store.hpp"

namespace convoy {

// Writes side × side × 3 bytes (RGB, rows top to bottom) as a PNG file. Throws ExitCode::io.
void write_png(const std::filesystem::path& path, int side, std::span<const std::uint8_t> pixels);

// Writes the first `count` images of a split, in stored order, as folder/<class id>-<index>.png; the folder
// is made when absent. Returns how many there were. Throws ExitCode::usage when the store lacks the split,
// bad_data, io.
std::int64_t export_images(const Store& store, std::string_view split, std::int64_t count,
                           const std::filesystem::path& folder);

}  // namespace convoy
