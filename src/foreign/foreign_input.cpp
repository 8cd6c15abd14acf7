#include "foreign/foreign_input.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace convoy {
namespace {

constexpr double white = 255;
constexpr Channels torchvision_mean = {0.485, 0.456, 0.406}, torchvision_deviation = {0.229, 0.224, 0.225};
// Of ilsvrc_2012_mean.npy, which comes with Caffe, averaged over its pixels.
constexpr Channels caffe_mean = {122.6789143, 116.6687676, 104.0069879};

void set_mean(InputSpec& spec, const Channels& mean, double factor) {
  spec.mean.clear();
  for (const double value : mean) spec.mean.push_back(static_cast<float>(value * factor));
}

void set_scale(InputSpec& spec, const Channels& scale) {
  std::ranges::transform(scale, spec.scale, [](double value) { return static_cast<float>(value); });
}

// The factors of pixels of 0…255 whose deviation is `deviation` times `factor`.
Channels scale_of(const Channels& deviation, double factor) {
  Channels scale{};
  std::ranges::transform(deviation, scale.begin(), [&](double value) { return 1 / (value * factor); });
  return scale;
}

ForeignInput sides_of(const NetSpec& network, Fit fit) {
  return {.spec = {.stored_side = network.stored_side, .crop_side = network.input.height, .mean = {}},
          .fit = fit};
}

bool any_above_one(const std::optional<Channels>& values) {
  return values && std::ranges::any_of(*values, [](double value) { return value > 1; });
}

void change_mean_and_scale(InputSpec& spec, const InputChanges& changes) {
  if (changes.deviation && changes.scale)
    fail(ExitCode::usage, "--deviation and --scale exclude each other: one divides, the other multiplies");
  const bool of_white = !any_above_one(changes.mean) && !any_above_one(changes.deviation) && !changes.scale;
  const double factor = of_white ? white : 1;
  if (changes.mean) set_mean(spec, *changes.mean, factor);
  if (changes.deviation) set_scale(spec, scale_of(*changes.deviation, factor));
  if (changes.scale) set_scale(spec, *changes.scale);
}

void take_mean_image(InputSpec& spec, const std::filesystem::path& path) {
  CaffeMean mean = read_mean_binaryproto(path);
  if (mean.side != spec.stored_side)
    fail(ExitCode::usage,
         "--mean {}: the mean image is {} × {}, images are resized to {} × {}; pass --resize {}",
         path.string(), mean.side, mean.side, spec.stored_side, spec.stored_side, mean.side);
  spec.mean = std::move(mean.values);
}

}  // namespace

ForeignInput torchvision_input(const NetSpec& network) {
  ForeignInput input = sides_of(network, Fit::cut);
  set_mean(input.spec, torchvision_mean, white);
  set_scale(input.spec, scale_of(torchvision_deviation, white));
  return input;
}

ForeignInput caffe_input(const NetSpec& network, const CaffeInput& file) {
  ForeignInput input = sides_of(network, Fit::warp);
  Channels mean = caffe_mean;
  if (file.mean.size() == 1) mean.fill(file.mean[0]);
  if (file.mean.size() == 3) std::copy(file.mean.rbegin(), file.mean.rend(), mean.begin());
  set_mean(input.spec, mean, 1);
  set_scale(input.spec, {file.scale, file.scale, file.scale});
  return input;
}

void change_input(ForeignInput& input, const InputChanges& changes) {
  InputSpec& spec = input.spec;
  if (changes.stored_side != 0) spec.stored_side = changes.stored_side;
  if (spec.stored_side < spec.crop_side)
    fail(ExitCode::usage, "--resize {}: the network's input is {} × {}, larger than that", spec.stored_side,
         spec.crop_side, spec.crop_side);
  if (changes.fit) input.fit = *changes.fit;
  change_mean_and_scale(spec, changes);
  if (!changes.mean_file.empty()) take_mean_image(spec, changes.mean_file);
}

}  // namespace convoy
