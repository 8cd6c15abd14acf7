#include "device/cuda/check.hpp"

#include "base/error.hpp"

namespace convoy::cuda {

void check(cudaError_t status, const char* what, std::source_location where) {
  if (status == cudaSuccess) return;
  // Errors of a call are reported again by the next cudaGetLastError unless they are taken off.
  cudaGetLastError();
  int device = -1;
  cudaGetDevice(&device);
  fail(ExitCode::device, "GPU {}: {}: {} ({}), at {}:{}", device, what, cudaGetErrorString(status),
       cudaGetErrorName(status), where.file_name(), where.line());
}

}  // namespace convoy::cuda
