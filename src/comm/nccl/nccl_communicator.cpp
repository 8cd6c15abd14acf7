#include "comm/nccl/nccl_communicator.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <future>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "device/cuda/memory.hpp"

namespace convoy::cuda {

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 5s;           // for calls that should come back at once
constexpr auto abort_patience = 100ms;  // of abort: what it does first, telling kernels to end, takes no time
constexpr double leaving_seconds = 10;  // for all ranks to leave together

// Rings add in an order that the order of GPUs alone decides; sums inside a switch (NVLS) or by other
// algorithms may be added in any. NCCL reads these when a communicator starts; what the user has set stays.
void choose_one_algorithm() {
  ::setenv("NCCL_ALGO", "Ring", 0);
  ::setenv("NCCL_NVLS_ENABLE", "0", 0);
}

// Waits a little; longer each time, since preparations take seconds. A sum is ready to run within
// microseconds but may still be answered by ncclInProgress: a sleep takes at least 70 µs with the usual timer
// slack, and there are some thirty sums in a step.
void pause(double waited) {
  constexpr double too_short_to_sleep = 200e-6;
  if (waited < too_short_to_sleep) return std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::duration<double>(std::clamp(waited / 16, 20e-6, 5e-3)));
}

}  // namespace

std::string nccl_error_text(ncclResult_t result, const char* call) {
  std::string text = fmt::format("{} failed: {}", call, ncclGetErrorString(result));
  const char* last = ncclGetLastError(nullptr);
  if (last != nullptr && *last != '\0') text += fmt::format(" ({})", last);
  return text + "; NCCL_DEBUG=INFO shows what NCCL did";
}

NcclCommunicator::NcclCommunicator(const NcclOptions& options) : options_(options) {
  // Here, since no other thread reads the environment yet.
  ::setenv("NCCL_COMM_BLOCKING", "0", 1);  // the variable would win over connect()'s configuration
  if (options_.deterministic) choose_one_algorithm();
}

NcclCommunicator::~NcclCommunicator() {
  if (unwind_.unwinding() || !leave()) abort();
  // What holds the communicator is gone by now, so an abort comes to its end.
  if (aborted_.valid()) aborted_.wait_for(patience);
}

void NcclCommunicator::refuse(const std::string& text) const {
  fail(ExitCode::device, "rank {} of {}, GPU {}: {}", options_.rank, options_.ranks, options_.device_index,
       text);
}

void NcclCommunicator::connect() {
  if (connected_ || given_up_) return;
  connected_ = true;
  use_device(options_.device_index);
  ncclUniqueId id;
  ensure(options_.id.size() == sizeof id, "an id of NCCL has its size");
  std::memcpy(&id, options_.id.data(), sizeof id);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  ncclComm_t communicator = nullptr;
  const ncclResult_t result =
      ncclCommInitRankConfig(&communicator, options_.ranks, id, options_.rank, &config);
  {
    const std::lock_guard lock(mutex_);
    communicator_ = communicator;
  }
  if (given_up_) release();  // meanwhile, when there was nothing to release
  settle(result, "ncclCommInitRankConfig", options_.connect_seconds);
}

void NcclCommunicator::all_reduce(void* values, std::size_t count, ncclDataType_t type, cudaStream_t stream) {
  ncclResult_t result = ncclSuccess;
  {
    const std::lock_guard lock(mutex_);
    if (communicator_ != nullptr)
      result = ncclAllReduce(values, values, count, type, ncclSum, communicator_, stream);
  }
  settle(result, "ncclAllReduce", 0);
}

// What became of `call`, which may still be at work when it came back. `seconds`: how long it may be; 0:
// without end.
void NcclCommunicator::settle(ncclResult_t result, const char* call, double seconds) {
  const Stopwatch watch;
  while (true) {
    if (given_up_) refuse(fmt::format("{} was given up", call));
    if (result == ncclSuccess) return;
    if (result != ncclInProgress) refuse(nccl_error_text(result, call));
    const double waited = watch.seconds();
    if (seconds > 0 && waited >= seconds) {
      abort();
      refuse(
          fmt::format("{} waited {:.0f} s for the other ranks; is one of them gone, or can it not be reached "
                      "over the interface that NCCL took (NCCL_DEBUG=INFO names it, NCCL_SOCKET_IFNAME "
                      "chooses another)?",
                      call, waited));
    }
    pause(waited);
    result = state(call);
  }
}

ncclResult_t NcclCommunicator::state(const char* call) {
  const std::lock_guard lock(mutex_);
  if (communicator_ == nullptr) return ncclSuccess;  // given up: settle looks at that first
  ncclResult_t state = ncclSuccess;
  const ncclResult_t asked = ncclCommGetAsyncError(communicator_, &state);
  if (asked != ncclSuccess) refuse(nccl_error_text(asked, call));
  return state;
}

std::string NcclCommunicator::failure() {
  const std::unique_lock lock(mutex_, 100ms);
  // Busy for long: a call hangs, which the heartbeats show.
  if (!lock.owns_lock() || communicator_ == nullptr || !failure_.empty()) return failure_;
  ncclResult_t state = ncclSuccess;
  const ncclResult_t asked = ncclCommGetAsyncError(communicator_, &state);
  if (asked != ncclSuccess) state = asked;
  if (state != ncclSuccess && state != ncclInProgress)
    failure_ = nccl_error_text(state, "a sum over all GPUs");
  return failure_;
}

void NcclCommunicator::abort() noexcept {
  if (!given_up_.exchange(true)) release();
}

void NcclCommunicator::release() noexcept {
  const std::unique_lock lock(mutex_, patience);
  if (!lock.owns_lock() || communicator_ == nullptr) return;
  // ncclCommAbort tells the kernels under way to end, and then may wait: for graphs that hold the
  // communicator, for one. So it is called on a thread that can be left behind, as the process ends soon.
  try {
    std::promise<void> done;
    aborted_ = done.get_future();
    std::thread([communicator = std::exchange(communicator_, nullptr), device = options_.device_index,
                 done = std::move(done)]() mutable {
      cudaSetDevice(device);
      ncclCommAbort(communicator);
      done.set_value();
    }).detach();
    aborted_.wait_for(abort_patience);
  } catch (const std::exception&) {
    // No thread to be had: nothing is left to try.
  }
}

// All ranks leave together; false when that failed.
bool NcclCommunicator::leave() {
  if (given_up_ || !connected_) return true;
  try {
    use_device(options_.device_index);
    ncclResult_t result = ncclSuccess;
    {
      const std::lock_guard lock(mutex_);
      result = ncclCommFinalize(communicator_);
    }
    settle(result, "ncclCommFinalize", leaving_seconds);
    const std::lock_guard lock(mutex_);
    return ncclCommDestroy(std::exchange(communicator_, nullptr)) == ncclSuccess;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace convoy::cuda
