// Owners of streams and events. A destructor never throws. For device/cuda, engine/cuda and comm/nccl only.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <type_traits>

namespace convoy::cuda {

struct StreamDeleter {
  void operator()(cudaStream_t stream) const noexcept;
};
struct EventDeleter {
  void operator()(cudaEvent_t event) const noexcept;
};
using Stream = std::unique_ptr<std::remove_pointer_t<cudaStream_t>, StreamDeleter>;
using Event = std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, EventDeleter>;

// Whose kernels are taken first where several streams have some waiting: sums over ranks are urgent, since
// other devices wait for them; what only fills gaps is for the background. A device with two priorities has
// no place between ordinary and background.
enum class StreamPriority { background, ordinary, urgent };

// A stream that does not wait for the default stream.
Stream make_stream(StreamPriority priority = StreamPriority::ordinary);
// `timing`: its times can be compared; else only waited for.
Event make_event(bool timing = false);

// Whether what was before `event` in its stream has run. Throws ExitCode::device, naming `what`.
bool has_passed(cudaEvent_t event, const char* what);

// `later` continues only when `earlier` has reached this point (through `event`, which is recorded again).
void follow(cudaStream_t later, cudaStream_t earlier, cudaEvent_t event);

}  // namespace convoy::cuda
