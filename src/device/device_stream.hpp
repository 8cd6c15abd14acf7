// A device's queue of work as the layers above the engines see it: something to hand from a Replica to a
// Collective, never looked into. On a GPU `native` is a cudaStream_t; on the CPU it is null.
#pragma once

namespace convoy {

struct DeviceStream {
  void* native = nullptr;
};

}  // namespace convoy
