// Number formats of tensors in the files of other programs, and their values as float32. Used by every reader
// of this folder.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/words.hpp"

namespace convoy {

enum class NumberType { float32, float16, bfloat16, float64 };

// "float32", "float16", "bfloat16", "float64".
Words<NumberType> number_type_words();

// Bytes of one number.
std::size_t bytes_of(NumberType type);

// The numbers in little-endian `bytes`, a multiple of bytes_of(type). float64 is rounded to the nearest
// float32; the other formats are exact.
std::vector<float> floats_of(std::span<const std::byte> bytes, NumberType type);

}  // namespace convoy
