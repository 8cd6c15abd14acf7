#include "reference/reference_input.hpp"

#include <algorithm>
#include <cmath>

namespace convoy::test {
namespace {

// One stored image minus the mean.
class CentredImage {
 public:
  CentredImage(const InputSpec& spec, const std::uint8_t* pixels) : spec_(spec), pixels_(pixels) {}

  double at(int channel, int row, int column) const {
    const int side = spec_.stored_side;
    const std::size_t place = static_cast<std::size_t>(row) * side + column;
    const std::size_t mean_index =
        spec_.mean.size() == 3 ? channel : static_cast<std::size_t>(channel) * side * side + place;
    return double{static_cast<double>(pixels_[place * 3 + channel])} - double{spec_.mean[mean_index]};
  }

  // Bilinear; outside places take the nearest inside one.
  double interpolated(int channel, double row, double column) const {
    const double last = spec_.stored_side - 1;
    row = std::clamp(row, 0.0, last);
    column = std::clamp(column, 0.0, last);
    const int top = static_cast<int>(row), left = static_cast<int>(column);
    const int bottom = std::min(top + 1, spec_.stored_side - 1);
    const int right = std::min(left + 1, spec_.stored_side - 1);
    const double down = row - top, along = column - left;
    return (1 - down) * ((1 - along) * at(channel, top, left) + along * at(channel, top, right)) +
           down * ((1 - along) * at(channel, bottom, left) + along * at(channel, bottom, right));
  }

 private:
  const InputSpec& spec_;
  const std::uint8_t* pixels_;
};

}  // namespace

Tensor reference_input(const InputSpec& spec, const BatchView& batch) {
  const int side = spec.crop_side;
  const std::size_t image_bytes = 3ULL * spec.stored_side * spec.stored_side;
  Tensor input(batch.rows, {3, side, side});
  for (int n = 0; n < batch.rows; ++n) {
    const CentredImage image(spec, batch.images.data() + n * image_bytes);
    const SampleTransform& transform = batch.transforms[n];
    const float* m = transform.matrix;
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < side; ++y) {
        for (int x = 0; x < side; ++x) {
          const double column = double{m[0]} * x + double{m[1]} * y + double{m[2]};
          const double row = double{m[3]} * x + double{m[4]} * y + double{m[5]};
          const double pixel = transform.resample != 0 ? image.interpolated(c, row, column)
                                                       : image.at(c, static_cast<int>(std::lround(row)),
                                                                  static_cast<int>(std::lround(column)));
          input.plane(n, c)[y * side + x] = (pixel + double{transform.colour[c]}) * double{spec.scale[c]};
        }
      }
    }
  }
  return input;
}

}  // namespace convoy::test
