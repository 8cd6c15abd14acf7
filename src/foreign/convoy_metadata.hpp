// What `convoy export` adds to a safetensors file, so that `convoy import` gets back more than weights: the
// network's name, its classes and how its images are prepared.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/store.hpp"
#include "foreign/foreign_input.hpp"
#include "foreign/safetensors.hpp"

namespace convoy {

struct ConvoyMetadata {
  std::string model;
  std::vector<ClassEntry> classes;
  std::optional<ForeignInput> input;  // a mean image is too large for a header: nothing is stored then
};

SafetensorsMetadata to_metadata(const ConvoyMetadata& content);

// The inverse. Other programs may use the same words for something else: what is not as Convoy writes it is
// left out.
ConvoyMetadata parse_metadata(const SafetensorsMetadata& metadata);

}  // namespace convoy
