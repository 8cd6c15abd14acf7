// The images of `convoy synthesize`: a textured shape of random colours, position, size and rotation on a
// varied background. A class is a shape with a texture ("circle-stripes"); with more than 40 classes also a
// hue of the shape. A pure function of (seed, class, image number).
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace convoy {

inline constexpr int most_synthetic_classes = 1000;

// Id of class `index` of `classes` (≤ most_synthetic_classes): "ring-checks", "star-dots-hue07".
std::string synthetic_class_id(int index, int classes);

// Paints image number `image` of class `index` into `square` (side × side × 3, RGB). Images with different
// numbers are independent.
void paint_synthetic_image(std::uint64_t seed, int index, int classes, std::uint32_t image, int side,
                           std::span<std::uint8_t> square);

}  // namespace convoy
