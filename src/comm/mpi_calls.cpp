#include "comm/mpi_calls.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace convoy {

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS) length = 0;
  fail(ExitCode::device, "{} failed: {}", call,
       length > 0 ? std::string_view(text.data(), length) : std::string_view("unknown error of MPI"));
}

std::string mpi_library() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  check_mpi(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  // MPICH returns a page of text; the first line, up to Open MPI's packaging notes, is the version.
  const std::string_view whole(text.data(), static_cast<std::size_t>(length));
  return std::string(whole.substr(0, whole.find_first_of(",\n")));
}

void wait_politely(MPI_Request& request, const char* call) {
  using namespace std::chrono_literals;
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (;;) {
    int done = 0;
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), call);
    if (done) return;
    const auto waited = Clock::now() - start;
    if (waited < 500us) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::min<Clock::duration>(waited / 16, 5ms));
    }
  }
}

OwnedCommunicator::OwnedCommunicator(MPI_Comm other) {
  check_mpi(MPI_Comm_dup(other, &handle_), "MPI_Comm_dup");
}

void OwnedCommunicator::free() noexcept {
  if (handle_ != MPI_COMM_NULL) MPI_Comm_free(&handle_);
  handle_ = MPI_COMM_NULL;
}

}  // namespace convoy
