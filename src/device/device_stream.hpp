// A device's queue of work, and a point in one, for the layers above the engines: handles passed between a
// Replica and a Collective, never inspected. On a GPU `native` is a cudaStream_t or a cudaEvent_t; on the CPU
// it is null.
#pragma once

namespace convoy {

struct DeviceStream {
  void* native = nullptr;
};

struct DeviceEvent {
  void* native = nullptr;
};

}  // namespace convoy
