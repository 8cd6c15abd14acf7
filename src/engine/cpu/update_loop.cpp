#include "engine/cpu/update_loop.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "base/host_device.hpp"

namespace convoy::cpu {

namespace {

// Elements of a piece of work: 256 KB of each buffer.
constexpr std::size_t piece_elements = std::size_t{1} << 16;

// Updates one piece and says whether its weights are sound.
template <typename Optimizer, typename... Slot>
CONVOY_VECTORISED bool update_elements(UpdateConstants c, std::size_t count,
                                       const float* __restrict gradients, float* __restrict weights,
                                       Slot* __restrict... slots) {
  int unsound = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Optimizer::update(c, gradients[i], weights[i], slots[i]...);
    unsound |= is_sound(weights[i]) ? 0 : 1;
  }
  return unsound == 0;
}

// The same of elements [begin, end) of the flat buffers.
template <typename Optimizer, std::size_t... Slot>
bool update_piece(const UpdateConstants& c, const UpdateBuffers& buffers, std::size_t begin, std::size_t end,
                  std::index_sequence<Slot...> /*slots*/) {
  return update_elements<Optimizer>(c, end - begin, buffers.gradients + begin, buffers.parameters + begin,
                                    (buffers.slots[Slot] + begin)...);
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
  squares_.resize(pieces_.size());
}

UpdateOutcome UpdateLoop::run(const UpdateBuffers& buffers, const UpdateStep& step) {
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
    squares_[static_cast<std::size_t>(index)] =
        square_sum(buffers.gradients + piece.begin, piece.end - piece.begin);
    const bool mine = with_optimizer(settings_.rule, [&](auto optimizer) {
      using Optimizer = decltype(optimizer);
      return update_piece<Optimizer>(c, buffers, piece.begin, piece.end, SlotNumbers<Optimizer>{});
    });
    sound = sound && mine;
  }
  return {.sound = sound, .squares = std::accumulate(squares_.begin(), squares_.end(), 0.0)};
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
