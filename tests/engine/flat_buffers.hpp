// The flat buffers of a training replica one after the other, for tests of what holds for each of them.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/training_replica.hpp"

namespace convoy::test {

struct FlatBuffer {
  std::string name;
  std::function<void(std::span<const float>)> write;
  std::function<void(std::span<float>)> read;
};

// Parameters, gradients, then as many slots.
inline std::vector<FlatBuffer> flat_buffers(TrainingReplica& replica, int slots) {
  std::vector<FlatBuffer> buffers = {{"parameters", [&](auto values) { replica.write_parameters(values); },
                                      [&](auto values) { replica.read_parameters(values); }},
                                     {"gradients", [&](auto values) { replica.write_gradients(values); },
                                      [&](auto values) { replica.read_gradients(values); }}};
  for (int slot = 0; slot < slots; ++slot)
    buffers.push_back({"slot " + std::to_string(slot),
                       [&replica, slot](auto values) { replica.write_slot(slot, values); },
                       [&replica, slot](auto values) { replica.read_slot(slot, values); }});
  return buffers;
}

}  // namespace convoy::test
