// The way through the host for gradients that MPI sums: a page-locked mirror of the device's buffer, copied
// down on one stream and up on another, so that both directions of the bus are used at once.
#include <cuda_runtime_api.h>

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "comm/gpu_collective.hpp"
#include "device/cuda/check.hpp"
#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"

namespace convoy::cuda {

namespace {

class PinnedStage final : public HostStage {
 public:
  PinnedStage(cudaStream_t compute, std::span<float> buffer)
      : compute_(compute),
        buffer_(buffer),
        mirror_(buffer.size_bytes(), "gradients on their way to MPI"),
        down_(make_stream(StreamPriority::urgent)),
        up_(make_stream(StreamPriority::urgent)),
        ready_(make_event()),
        returned_(make_event()) {}

  ~PinnedStage() override {
    // Copies must not outlive the memory. Errors were or will be reported by who met them.
    cudaStreamSynchronize(down_.get());
    cudaStreamSynchronize(up_.get());
  }

  std::span<float> fetch(std::span<float> slice) override {
    const std::span<float> place = place_of(slice);
    follow(down_.get(), compute_, ready_.get());
    check(
        cudaMemcpyAsync(place.data(), slice.data(), slice.size_bytes(), cudaMemcpyDeviceToHost, down_.get()),
        "copying gradients to the host");
    Event arrival = take_event();
    check(cudaEventRecord(arrival.get(), down_.get()), "marking the arrival of gradients");
    coming_.push_back(std::move(arrival));
    return place;
  }

  bool arrived() override {
    ensure(!coming_.empty(), "a fetch is outstanding");
    if (!has_passed(coming_.front().get(), "asking for gradients")) return false;
    spare_.push_back(std::move(coming_.front()));
    coming_.pop_front();
    return true;
  }

  void put_back(std::span<float> slice) override {
    const std::span<float> place = place_of(slice);
    check(cudaMemcpyAsync(slice.data(), place.data(), slice.size_bytes(), cudaMemcpyHostToDevice, up_.get()),
          "copying summed gradients to the device");
    follow(compute_, up_.get(), returned_.get());
  }

 private:
  std::span<float> place_of(std::span<float> slice) const {
    ensure(slice.data() >= buffer_.data() && slice.data() + slice.size() <= buffer_.data() + buffer_.size(),
           "slices are parts of the gradient buffer");
    return {mirror_.as<float>() + (slice.data() - buffer_.data()), slice.size()};
  }

  Event take_event() {
    if (spare_.empty()) return make_event();
    Event event = std::move(spare_.back());
    spare_.pop_back();
    return event;
  }

  const cudaStream_t compute_;
  const std::span<float> buffer_;
  PinnedMemory mirror_;
  Stream down_, up_;
  Event ready_, returned_;
  std::deque<Event> coming_;
  std::vector<Event> spare_;
};

}  // namespace

extern "C" void convoy_make_host_stage(DeviceStream compute, std::span<float> device_buffer,
                                       std::unique_ptr<HostStage>& result) {
  result = std::make_unique<PinnedStage>(static_cast<cudaStream_t>(compute.native), device_buffer);
}

}  // namespace convoy::cuda
