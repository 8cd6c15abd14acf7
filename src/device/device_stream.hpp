// A device's queue of work, and a point in one, for the layers above the engines: handles passed between a
// Replica and a Collective, never inspected. On a GPU `native` is a cudaStream_t or a cudaEvent_t; on the CPU
// it is null.
#pragma once

#include <cstddef>
#include <functional>

namespace convoy {

struct DeviceStream {
  void* native = nullptr;
};

struct DeviceEvent {
  void* native = nullptr;
};

// The points of a sum over ranks that are timed: its values are there; they are the sum.
enum class SumMark { ready, done };

// Told when `stream` comes to a point of the sum `number` of its step, of `bytes` bytes.
using SumMarks =
    std::function<void(std::size_t number, std::size_t bytes, SumMark mark, DeviceStream stream)>;

}  // namespace convoy
