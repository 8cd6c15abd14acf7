// The feature maps of a layer for one image as one picture. Used by `visualize features`.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "picture/filter_grid.hpp"
#include "picture/picture.hpp"

namespace convoy {

// Activations of one image, [maps, height, width]. A fully connected layer has maps of 1 × 1.
struct MapSet {
  std::span<const float> values;
  int maps = 0, height = 0, width = 0;
};

// Numbers of the maps by their mean, largest first (not finite: last); equal ones by number.
std::vector<int> strongest_maps(const MapSet& set);

struct MapGridOptions {
  FilterScale scale = FilterScale::each;
  int magnify = 1;        // each value becomes a square of magnify × magnify pixels
  bool numbered = false;  // the number of each map below it, where its width permits
};

// The maps `shown`, in that order, as a grid. Black is 0 and white the largest value of the map (`each`) or
// of all maps of the set (`together`); maps of 1 × 1 are always `together`. If any value of the set is
// negative, 0 is mid-grey and negative values are darker. A value that is not finite is magenta. Throws
// ExitCode::bug for a set or a map that cannot be.
Picture map_grid(const MapSet& set, std::span<const int> shown, const MapGridOptions& options);

// A title and a line below it, and under them the grid beside the image.
struct FeaturePicture {
  Picture image, grid;
  std::string title, note;
};
Picture feature_picture(const FeaturePicture& parts);

}  // namespace convoy
