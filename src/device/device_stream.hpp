// A device's queue of work for the layers above the engines: a handle passed from a Replica to a Collective,
// never inspected. On a GPU `native` is a cudaStream_t; on the CPU it is null.
#pragma once

namespace convoy {

struct DeviceStream {
  void* native = nullptr;
};

}  // namespace convoy
