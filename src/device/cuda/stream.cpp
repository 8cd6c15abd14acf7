#include "device/cuda/stream.hpp"

#include "device/cuda/check.hpp"

namespace convoy::cuda {

void StreamDeleter::operator()(cudaStream_t stream) const noexcept {
  cudaStreamDestroy(stream);
}

void EventDeleter::operator()(cudaEvent_t event) const noexcept {
  cudaEventDestroy(event);
}

Stream make_stream(StreamPriority priority) {
  int lowest = 0, highest = 0;  // a lower number is taken first
  check(cudaDeviceGetStreamPriorityRange(&lowest, &highest), "asking for the stream priorities");
  cudaStream_t stream = nullptr;
  const int level = priority == StreamPriority::urgent       ? highest
                    : priority == StreamPriority::background ? lowest
                                                             : lowest + (highest - lowest) / 2;
  check(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, level), "making a stream");
  return Stream(stream);
}

Event make_event(bool timing) {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, timing ? cudaEventDefault : cudaEventDisableTiming),
        "making an event");
  return Event(event);
}

bool has_passed(cudaEvent_t event, const char* what) {
  const cudaError_t status = cudaEventQuery(event);
  if (status == cudaErrorNotReady) {
    cudaGetLastError();  // "not ready" is no error to be found by somebody else
    return false;
  }
  check(status, what);
  return true;
}

void follow(cudaStream_t later, cudaStream_t earlier, cudaEvent_t event) {
  check(cudaEventRecord(event, earlier), "recording an event");
  check(cudaStreamWaitEvent(later, event, 0), "letting a stream wait for an event");
}

}  // namespace convoy::cuda
