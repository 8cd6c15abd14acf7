#include "base/random.hpp"

#include <cmath>
#include <numbers>

namespace convoy {

NormalPair normal_pair(std::uint32_t bits0, std::uint32_t bits1) {
  const double radius = std::sqrt(-2.0 * std::log(open_unit_double(bits0)));
  const double angle = 2.0 * std::numbers::pi * open_unit_double(bits1);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace convoy
