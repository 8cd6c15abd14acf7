#include "reference/random_batch.hpp"

#include <algorithm>
#include <cmath>

namespace convoy::test {

std::uint32_t RandomSource::bits() {
  if (drawn_ % 4 == 0) block_ = philox(seed_, {{drawn_ / 4, 0, 0, 0xFFu << 24}});
  return block_.word[drawn_++ % 4];
}

double RandomSource::uniform(double low, double high) {
  return low + (high - low) * (bits() / 4294967296.0);
}

int RandomSource::integer(int bound) {
  return static_cast<int>(std::uint64_t{bits()} * static_cast<std::uint64_t>(bound) >> 32);
}

TestBatch TestBatch::part(int begin, int count) const {
  const std::size_t image_bytes = images.size() / labels.size();
  TestBatch result;
  result.images.assign(images.begin() + begin * image_bytes, images.begin() + (begin + count) * image_bytes);
  result.labels.assign(labels.begin() + begin, labels.begin() + begin + count);
  result.transforms.assign(transforms.begin() + begin, transforms.begin() + begin + count);
  result.first_position = first_position + begin;
  return result;
}

namespace {

void append_image(std::vector<std::uint8_t>& images, int side, RandomSource& random) {
  double phase[3], step_x[3], step_y[3];
  for (int c = 0; c < 3; ++c) {
    phase[c] = random.uniform(0, 6);
    step_x[c] = random.uniform(-0.4, 0.4);
    step_y[c] = random.uniform(-0.4, 0.4);
  }
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double wave = 127 + 80 * std::sin(phase[c] + step_x[c] * x + step_y[c] * y);
        images.push_back(static_cast<std::uint8_t>(std::clamp(wave + random.uniform(-40, 40), 0.0, 255.0)));
      }
    }
  }
}

// A crop, mirrored for half of the samples.
SampleTransform crop_transform(const InputSpec& input, RandomSource& random) {
  SampleTransform transform;
  const int positions = input.stored_side - input.crop_side + 1;
  transform.matrix[2] = static_cast<float>(random.integer(positions));
  transform.matrix[5] = static_cast<float>(random.integer(positions));
  if (random.integer(2) == 1) {
    transform.matrix[0] = -1;
    transform.matrix[2] += static_cast<float>(input.crop_side - 1);
  }
  return transform;
}

// A rotation with a shift that reaches beyond the image's edges.
SampleTransform warp_transform(const InputSpec& input, RandomSource& random) {
  const double angle = random.uniform(-0.4, 0.4), scale = random.uniform(0.8, 1.2);
  const double centre = (input.stored_side - 1) / 2.0, half = (input.crop_side - 1) / 2.0;
  const double m[4] = {scale * std::cos(angle), -scale * std::sin(angle), scale * std::sin(angle),
                       scale * std::cos(angle)};
  SampleTransform transform;
  transform.resample = 1;
  transform.matrix[0] = static_cast<float>(m[0]);
  transform.matrix[1] = static_cast<float>(m[1]);
  transform.matrix[2] = static_cast<float>(centre - (m[0] + m[1]) * half + random.uniform(-4, 4));
  transform.matrix[3] = static_cast<float>(m[2]);
  transform.matrix[4] = static_cast<float>(m[3]);
  transform.matrix[5] = static_cast<float>(centre - (m[2] + m[3]) * half + random.uniform(-4, 4));
  return transform;
}

SampleTransform centre_crop(const InputSpec& input) {
  SampleTransform transform;
  transform.matrix[2] = transform.matrix[5] = static_cast<float>((input.stored_side - input.crop_side) / 2);
  return transform;
}

}  // namespace

TestBatch random_batch(const InputSpec& input, int classes, int rows, TransformKind kind,
                       std::uint64_t seed) {
  RandomSource random(seed);
  TestBatch batch;
  for (int n = 0; n < rows; ++n) {
    append_image(batch.images, input.stored_side, random);
    batch.labels.push_back(random.integer(classes));
    SampleTransform transform = centre_crop(input);
    if (kind == TransformKind::crop_and_mirror) transform = crop_transform(input, random);
    if (kind == TransformKind::warp) transform = warp_transform(input, random);
    if (kind != TransformKind::centre) {
      for (float& colour : transform.colour) colour = static_cast<float>(random.uniform(-6, 6));
    }
    batch.transforms.push_back(transform);
  }
  return batch;
}

InputSpec test_input(const NetSpec& spec, int stored_side, bool mean_image) {
  InputSpec input;
  input.stored_side = stored_side;
  input.crop_side = spec.input.height;
  input.mean = {123.5F, 117.25F, 104.75F};
  if (mean_image) {
    RandomSource random(77);
    input.mean.clear();
    for (int i = 0; i < 3 * stored_side * stored_side; ++i) {
      input.mean.push_back(static_cast<float>(random.uniform(100, 140)));
    }
  }
  const float scale[3] = {1 / 58.0F, 1 / 57.0F, 1 / 59.0F};
  std::copy_n(scale, 3, input.scale);
  return input;
}

std::vector<float> random_parameters(const ParameterTable& table, std::uint64_t seed, double gain) {
  std::vector<float> values(table.size());
  for (const Parameter& parameter : table.parameters()) {
    const double bound = gain * std::sqrt(3.0 / parameter.fan_in);
    RandomSource random(seed * 1000 + static_cast<std::uint64_t>(parameter.ordinal));
    for (std::size_t e = 0; e < parameter.elements; ++e) {
      values[parameter.offset + e] = static_cast<float>(
          parameter.kind == ParameterKind::weight ? random.uniform(-bound, bound) : random.uniform(0, 0.2));
    }
  }
  return values;
}

}  // namespace convoy::test
