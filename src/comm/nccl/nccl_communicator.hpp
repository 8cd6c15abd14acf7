// One rank's membership in a group of GPUs: owns an ncclComm_t that never blocks its caller, so that another
// thread can watch it and give it up at any time, even while it waits for ranks that never come. Used by
// nccl_collective.cpp alone.
#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <atomic>
#include <future>
#include <mutex>
#include <string>

#include "base/unwinding.hpp"
#include "comm/gpu_collective.hpp"

namespace convoy::cuda {

// NCCL's own words for `result` of `call`, with the last message that NCCL left.
std::string nccl_error_text(ncclResult_t result, const char* call);

// connect, all_reduce and the destructor belong to one thread; failure and abort to any.
class NcclCommunicator {
 public:
  explicit NcclCommunicator(const NcclOptions& options);
  // Leaves the group; gives it up when an error unwinds, or when leaving takes long. Graphs that have
  // recorded sums must be gone before: NCCL waits for them.
  ~NcclCommunicator();
  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;

  // Joins the group, which all ranks do together; returns at once when it was joined before. Throws
  // ExitCode::device: NCCL's error, options.connect_seconds gone, or given up by abort().
  void connect();

  // Enqueues the sum over all ranks, in place. Waits for NCCL's own preparations (not for the sum), as long
  // as nobody calls abort(). Throws ExitCode::device.
  void all_reduce(void* values, std::size_t count, ncclDataType_t type, cudaStream_t stream);

  // What NCCL met by itself since the last call, and from then on always; empty while all is well.
  std::string failure();

  // Ends what is under way; comes back soon whatever NCCL does (5 s where one of its calls hangs). Calls
  // after the first do nothing.
  void abort() noexcept;

 private:
  void settle(ncclResult_t result, const char* call, double seconds);
  ncclResult_t state(const char* call);
  [[noreturn]] void refuse(const std::string& text) const;
  bool leave();
  void release() noexcept;

  const NcclOptions options_;
  const UnwindDetector unwind_;
  bool connected_ = false;
  std::atomic<bool> given_up_{false};
  // Guards what follows. Held for single calls of NCCL only; should one of them hang, the watching thread
  // does not hang with it.
  std::timed_mutex mutex_;
  ncclComm_t communicator_ = nullptr;
  std::string failure_;
  std::future<void> aborted_;
};

}  // namespace convoy::cuda
