// How images become the input of a foreign network. Files hold weights alone, so this is what their programs
// usually do, and what the user says. Used by foreign_model.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>

#include "data/batch.hpp"
#include "data/fit.hpp"
#include "foreign/caffe_model.hpp"
#include "model/net_spec.hpp"

namespace convoy {

using Channels = std::array<double, 3>;  // red, green, blue

// What the user says; what is left empty stays usual.
struct InputChanges {
  // Of pixels of 0…1 as in torchvision, or, if any of these numbers is above 1, of pixels of 0…255.
  std::optional<Channels> mean = {}, deviation = {};
  std::optional<Channels> scale = {};    // instead of the deviation: the factor of pixels of 0…255
  std::filesystem::path mean_file = {};  // Caffe's mean.binaryproto; empty: none
  int crop_side = 0;                     // the network's input; 0: the network's own
  int stored_side = 0;                   // of the image it is cut from; 0: the network's own
  std::optional<Fit> fit = {};
};

struct ForeignInput {
  InputSpec spec;
  Fit fit = Fit::cut;
};

// torchvision's: mean 0.485, 0.456, 0.406 and deviation 0.229, 0.224, 0.225 of pixels of 0…1; the shorter
// side to 256, the centre.
ForeignInput torchvision_input(const NetSpec& network);

// Caffe's: both sides to 256; `file` says what its data layer does. If that names no mean values: those of
// ImageNet's mean image.
ForeignInput caffe_input(const NetSpec& network, const CaffeInput& file);

// Throws ExitCode::usage for changes that contradict each other or the network, and for a mean image of
// another side than the stored one.
void change_input(ForeignInput& input, const InputChanges& changes);

}  // namespace convoy
