// Shared by writing and reading checkpoints: names of objects and the checksums beside them. For the .cpp
// files of this folder only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/checkpoint.hpp"

namespace convoy::checkpoint_format {

inline constexpr std::string_view name = "convoy-checkpoint";
inline constexpr std::int64_t version = 1;

// Attribute of each dataset.
inline constexpr const char* checksum = "crc32c";

// CRC-32C of the values in row order, little-endian.
std::uint32_t checksum_of(std::span<const float> values);
// CRC-32C of the texts, each followed by NUL.
std::uint32_t checksum_of(const std::vector<std::string>& texts);

// "/parameters/conv1/weight", "/optimizer/velocity/conv1/weight".
std::string parameter_dataset(const Parameter& parameter);
std::string slot_dataset(const std::string& slot, const Parameter& parameter);

}  // namespace convoy::checkpoint_format
