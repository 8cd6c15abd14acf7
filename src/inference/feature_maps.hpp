// The activations of one layer for one image; `visualize features` draws them. One process.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "checkpoint/trained_model.hpp"
#include "engine/engine.hpp"
#include "model/activation_names.hpp"

namespace convoy {

struct FeatureOptions {
  DeviceKind device = DeviceKind::automatic;
  Precision precision = Precision::fp32;
  int threads = 0;  // 0: all cores this process may use
};

struct FeatureMaps {
  NamedActivation activation;
  std::vector<float> values;  // channels × height × width
};

// `image`: stored_side × stored_side × 3 bytes, as for Predictor; the network gets its centre. `layer` is a
// name of model/activation_names. Throws ExitCode::usage for a layer that the network lacks or an absent
// device.
FeatureMaps compute_feature_maps(const TrainedModel& model, std::string_view layer,
                                 std::span<const std::uint8_t> image, const FeatureOptions& options);

// The part of a stored image that the network sees, crop_side × crop_side × 3.
std::vector<std::uint8_t> seen_pixels(const InputSpec& input, std::span<const std::uint8_t> image);

}  // namespace convoy
