#include "engine/cpu/update_loop.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

#include "base/error.hpp"
#include "base/host_device.hpp"
#include "engine/update_arithmetic.hpp"

namespace convoy::cpu {

namespace {

// Elements of a piece of work: 256 KB of each buffer.
constexpr std::size_t piece_elements = std::size_t{1} << 16;

// Updates one piece and returns whether its weights are sound.
template <OptimizerRule Rule>
CONVOY_VECTORISED bool update_piece(UpdateConstants c, const float* __restrict gradients,
                                    float* __restrict weights, SlotPointers slots, std::size_t count) {
  constexpr int slot_number = slots_of<Rule>;
  static_assert(slot_number == 1 || slot_number == 2);
  float* __restrict first = slots[0];
  [[maybe_unused]] float* __restrict second = slots[1];
  int unsound = 0;
  for (std::size_t i = 0; i < count; ++i) {
    float values[slot_number];
    values[0] = first[i];
    if constexpr (slot_number == 2) values[1] = second[i];
    ElementUpdate<Rule>::apply(c, gradients[i], weights[i], values);
    first[i] = values[0];
    if constexpr (slot_number == 2) second[i] = values[1];
    unsound |= is_sound(weights[i]) ? 0 : 1;
  }
  return unsound == 0;
}

CONVOY_VECTORISED void add_piece(const float* __restrict addend, float* __restrict sum, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] += addend[i];
}

// Sixteen running sums in double precision: a square of a float cannot overflow there.
CONVOY_VECTORISED double square_sum(const float* values, std::size_t count) {
  constexpr std::size_t lanes = 16;
  std::array<double, lanes> sums{};
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const double value = values[i + lane];
      sums[lane] += value * value;
    }
  }
  for (; i < count; ++i) sums[0] += double{values[i]} * double{values[i]};
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

UpdateLoop::UpdateLoop(const ParameterTable& table, const OptimizerSettings& settings)
    : settings_(settings), parameters_(table.parameters().size()) {
  for (std::size_t index = 0; index < parameters_; ++index) {
    const Parameter& parameter = table.parameters()[index];
    const std::size_t end = parameter.offset + parameter.elements;
    for (std::size_t begin = parameter.offset; begin < end; begin += piece_elements) {
      pieces_.push_back({index, begin, std::min(begin + piece_elements, end)});
    }
  }
}

bool UpdateLoop::run(const UpdateBuffers& buffers, const UpdateStep& step) {
  ensure(step.rates.size() == parameters_, "an update has a rate for every parameter");
  std::vector<UpdateConstants> constants;
  constants.reserve(parameters_);
  for (const TensorRate& rate : step.rates) constants.push_back(update_constants(settings_, step, rate));
  const auto pieces = static_cast<std::int64_t>(pieces_.size());
  bool sound = true;
#pragma omp parallel for schedule(static) reduction(&& : sound)
  for (std::int64_t index = 0; index < pieces; ++index) {
    const Piece& piece = pieces_[static_cast<std::size_t>(index)];
    const UpdateConstants& c = constants[piece.parameter];
    const float* gradients = buffers.gradients + piece.begin;
    float* weights = buffers.parameters + piece.begin;
    const std::size_t count = piece.end - piece.begin;
    SlotPointers slots{};
    for (int slot = 0; slot < slot_count(settings_.rule); ++slot)
      slots[static_cast<std::size_t>(slot)] = buffers.slots[static_cast<std::size_t>(slot)] + piece.begin;
    const bool mine = for_rule(
        settings_.rule, [&](auto rule) { return update_piece<rule>(c, gradients, weights, slots, count); });
    sound = sound && mine;
  }
  return sound;
}

SquareSum::SquareSum(std::size_t elements)
    : block_sums_((elements + piece_elements - 1) / piece_elements, 0.0) {}

void SquareSum::add(const float* values, std::size_t begin, std::size_t end) {
  if (begin >= end) return;
  const auto first = static_cast<std::int64_t>(begin / piece_elements);
  const auto last = static_cast<std::int64_t>((end - 1) / piece_elements);
#pragma omp parallel for schedule(static)
  for (std::int64_t block = first; block <= last; ++block) {
    const std::size_t start = static_cast<std::size_t>(block) * piece_elements;
    const std::size_t from = std::max(start, begin), to = std::min(start + piece_elements, end);
    block_sums_[static_cast<std::size_t>(block)] += square_sum(values + from, to - from);
  }
}

double SquareSum::take() {
  const double total = std::accumulate(block_sums_.begin(), block_sums_.end(), 0.0);
  std::fill(block_sums_.begin(), block_sums_.end(), 0.0);
  return total;
}

void add_range(const float* addend, float* sum, std::size_t begin, std::size_t end) {
  const auto pieces = static_cast<std::int64_t>((end - begin + piece_elements - 1) / piece_elements);
#pragma omp parallel for schedule(static)
  for (std::int64_t index = 0; index < pieces; ++index) {
    const std::size_t from = begin + static_cast<std::size_t>(index) * piece_elements;
    add_piece(addend + from, sum + from, std::min(piece_elements, end - from));
  }
}

}  // namespace convoy::cpu
