#include "reference/narrow.hpp"

#include <algorithm>

namespace convoy::test {

NetSpec narrow(NetSpec spec, int divisor, int classes) {
  // Two divides every number of groups in the family, on the writing and on the reading side.
  const auto fewer = [&](int channels) { return std::max(channels / divisor / 2 * 2, 4); };
  FullyConnected* last = nullptr;
  for (Layer& layer : spec.layers) {
    if (auto* convolution = std::get_if<Convolution>(&layer)) {
      convolution->filters = fewer(convolution->filters);
    } else if (auto* connected = std::get_if<FullyConnected>(&layer)) {
      connected->outputs = fewer(connected->outputs);
      last = connected;
    }
  }
  if (last != nullptr) last->outputs = classes;
  return spec;
}

}  // namespace convoy::test
