#include "model/initialise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "base/error.hpp"
#include "base/random.hpp"

namespace convoy {
namespace {

// The distribution of one tensor's initial values.
struct Distribution {
  enum class Kind { constant, normal, uniform } kind = Kind::constant;
  double parameter = 0;  // the constant, the standard deviation, or the bound b of U(−b, b)
};

bool one_of(const std::string& layer, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return layer == name; });
}

// The layers whose ReLU initially has positive inputs, in the paper and in Caffe's models.
bool has_positive_bias(const std::string& layer) {
  return one_of(layer, {"conv2", "conv4", "conv5", "fc6", "fc7"});
}

Distribution distribution(const Parameter& parameter, Initialiser scheme) {
  using Kind = Distribution::Kind;
  const bool weight = parameter.kind == ParameterKind::weight;
  const std::string& layer = parameter.layer;
  const double fan_in = parameter.fan_in, fan_out = parameter.fan_out;
  switch (scheme) {
    case Initialiser::paper:
      if (weight) return {Kind::normal, 0.01};
      return {Kind::constant, has_positive_bias(layer) ? 1.0 : 0.0};
    case Initialiser::caffe:
      if (weight) return {Kind::normal, one_of(layer, {"fc6", "fc7"}) ? 0.005 : 0.01};
      return {Kind::constant, has_positive_bias(layer) ? 0.1 : 0.0};
    case Initialiser::torch:
      return {Kind::uniform, 1 / std::sqrt(fan_in)};
    case Initialiser::keras:
      if (weight) return {Kind::uniform, std::sqrt(6 / (fan_in + fan_out))};
      return {Kind::constant, 0.0};
  }
  fail(ExitCode::bug, "unknown initialiser {}", static_cast<int>(scheme));
}

// Elements 4k … 4k+3 of a tensor.
std::array<float, 4> draw_four(Distribution distribution, const PhiloxBlock& bits) {
  const double scale = distribution.parameter;
  std::array<float, 4> values{};
  if (distribution.kind == Distribution::Kind::normal) {
    for (std::size_t pair : {0, 2}) {
      const NormalPair normal = normal_pair(bits.word[pair], bits.word[pair + 1]);
      values[pair] = static_cast<float>(scale * normal.first);
      values[pair + 1] = static_cast<float>(scale * normal.second);
    }
  } else {
    for (std::size_t i = 0; i < 4; ++i) {
      values[i] = static_cast<float>(scale * (2 * open_unit_double(bits.word[i]) - 1));
    }
  }
  return values;
}

}  // namespace

void initialise_parameter(const Parameter& parameter, Initialiser scheme, std::uint64_t seed,
                          std::span<float> values) {
  ensure(values.size() == parameter.elements, "a parameter's values have its size");
  const Distribution how = distribution(parameter, scheme);
  if (how.kind == Distribution::Kind::constant) {
    std::fill(values.begin(), values.end(), static_cast<float>(how.parameter));
    return;
  }
  const auto elements = static_cast<std::int64_t>(values.size());
  const auto ordinal = static_cast<std::uint32_t>(parameter.ordinal);
#pragma omp parallel for schedule(static)
  for (std::int64_t block = 0; block < (elements + 3) / 4; ++block) {
    const auto four = draw_four(how, weight_block(seed, ordinal, static_cast<std::uint64_t>(block)));
    std::copy_n(four.begin(), std::min<std::int64_t>(4, elements - 4 * block), values.begin() + 4 * block);
  }
}

void initialise_parameters(const ParameterTable& table, Initialiser scheme, std::uint64_t seed,
                           std::span<float> flat) {
  ensure(flat.size() == table.size(), "a flat buffer has the table's size");
  std::fill(flat.begin(), flat.end(), 0.0F);
  for (const Parameter& parameter : table.parameters()) {
    initialise_parameter(parameter, scheme, seed, flat.subspan(parameter.offset, parameter.elements));
  }
}

}  // namespace convoy
