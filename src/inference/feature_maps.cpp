#include "inference/feature_maps.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "data/augmentation.hpp"

namespace convoy {
namespace {

void check_image(const InputSpec& input, std::span<const std::uint8_t> image) {
  const auto side = static_cast<std::size_t>(input.stored_side);
  ensure(image.size() == side * side * 3, "an image has the checkpoint's stored size");
}

}  // namespace

FeatureMaps compute_feature_maps(const TrainedModel& model, std::string_view layer,
                                 std::span<const std::uint8_t> image, const FeatureOptions& options) {
  const InputSpec& input = model.header.input;
  check_image(input, image);
  FeatureMaps maps{.activation = find_activation(model.network, layer), .values = {}};
  const auto replica = make_replica(model.network, input,
                                    {.device = resolve_device(options.device), .threads = options.threads});
  replica->write_parameters(model.parameters);
  const auto program =
      replica->compile({.batch = 1, .mode = Mode::evaluation, .precision = options.precision});
  const std::int32_t label = 0;  // unused: only activations are read
  const SampleTransform centre = centre_transform(input.stored_side, input.crop_side);
  program->forward(
      {.rows = 1, .images = image, .labels = std::span(&label, 1), .transforms = std::span(&centre, 1)}, {});
  maps.values.resize(static_cast<std::size_t>(maps.activation.shape.elements()));
  program->read_activation(maps.activation.layer_index, maps.values);
  return maps;
}

std::vector<std::uint8_t> seen_pixels(const InputSpec& input, std::span<const std::uint8_t> image) {
  check_image(input, image);
  const SampleTransform centre = centre_transform(input.stored_side, input.crop_side);
  const auto left = static_cast<int>(centre.matrix[2]), top = static_cast<int>(centre.matrix[5]);
  std::vector<std::uint8_t> seen(static_cast<std::size_t>(input.crop_side) * input.crop_side * 3);
  for (int row = 0; row < input.crop_side; ++row) {
    const auto from = image.begin() + (static_cast<std::ptrdiff_t>(top + row) * input.stored_side + left) * 3;
    std::copy_n(from, input.crop_side * 3,
                seen.begin() + static_cast<std::ptrdiff_t>(row) * input.crop_side * 3);
  }
  return seen;
}

}  // namespace convoy
