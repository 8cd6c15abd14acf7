// Where a sample's network input lies in its stored image: random in training, fixed in evaluation. Pure
// functions of (seed, epoch, sample id); all drawing happens on the host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/batch.hpp"
#include "data/store.hpp"

namespace convoy {

// Which augmentations are on.
struct AugmentationKinds {
  bool crop = false, resized_crop = false, mirror = false, colour = false, rotate = false, shift = false;
};

struct AugmentationSettings : AugmentationKinds {
  const AugmentationKinds& kinds() const { return *this; }
  AugmentationKinds& kinds() { return *this; }

  double colour_sigma = 0.1;
  double rotate_degrees = 15, shift_fraction = 0.1;
  std::int64_t colour_until_epoch = -1;  // colour stops at this epoch; -1: never
  Statistics statistics{};               // pca for colour
};

// Parses "crop,mirror,colour" or "none". Throws ExitCode::usage naming the word and the ones that exist.
AugmentationSettings parse_augmentation(std::string_view text);

// The same written down again.
std::string augmentation_text(const AugmentationKinds& kinds);

// The transform of a training sample.
SampleTransform training_transform(const AugmentationSettings& settings, int stored_side, int crop_side,
                                   std::uint64_t seed, std::uint32_t epoch, std::uint32_t sample);

// The centre crop: offset ⌊(S − crop)/2⌋.
SampleTransform centre_transform(int stored_side, int crop_side);

// View 0…9 of ten-crop evaluation: four corners and the centre, then their mirrors.
SampleTransform ten_crop_transform(int stored_side, int crop_side, int view);

}  // namespace convoy
