// MPI's handles and the checking of its calls, only for comm/'s own implementation files (no other file
// includes this header, because it includes mpi.h).
#pragma once

#include <mpi.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "base/unwinding.hpp"
#include "comm/communicator.hpp"

namespace convoy {

// The longest message given to one MPI call, whose counts are ints.
inline constexpr std::size_t longest_message = std::size_t{1} << 30;  // bytes

// Throws ExitCode::device with MPI's own text if `code` is not success. `call` names the function.
void check_mpi(int code, const char* call);

// Name and version of the MPI library; may be asked before MPI starts.
std::string mpi_library();

// Waits for `request`; polls often at first and more and more rarely later, since others may need the core: a
// rank waits here for minutes while rank 0 reads a checkpoint.
void wait_politely(MPI_Request& request, const char* call);

// A duplicate of a communicator, so that its messages and collectives are separate from all others.
// Collective. Freed by free(), not by a destructor, since that is collective too.
class OwnedCommunicator {
 public:
  OwnedCommunicator() = default;
  explicit OwnedCommunicator(MPI_Comm other);
  OwnedCommunicator(const OwnedCommunicator&) = delete;
  OwnedCommunicator& operator=(const OwnedCommunicator&) = delete;
  MPI_Comm get() const { return handle_; }
  void free() noexcept;

 private:
  MPI_Comm handle_ = MPI_COMM_NULL;
};

struct Communicator::State {
  MPI_Comm control = MPI_COMM_NULL;  // the members of Communicator
  MPI_Comm pending = MPI_COMM_NULL;  // start_sum
  MPI_Comm ending = MPI_COMM_NULL;   // end_together
  struct EndingReport {
    std::int64_t code = 0, text_hash = 0;
  };
  std::vector<EndingReport> endings;  // by rank, filled by `ending_request`; empty before end_together
  MPI_Request ending_request = MPI_REQUEST_NULL;
  int rank = 0, size = 1, local_rank = 0, local_size = 1, node = 0, nodes = 1;
  int thread_level = MPI_THREAD_SINGLE;
  std::thread::id main_thread = std::this_thread::get_id();
  UnwindDetector unwind;
  std::atomic<bool> aborting{false};
};

}  // namespace convoy
