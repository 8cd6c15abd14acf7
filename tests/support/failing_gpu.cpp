// A GPU that breaks while a run is under way: loaded before the program (LD_PRELOAD), it lets the first
// FAILING_GPU_AFTER recorded steps pass and from then on answers the calls by which the host learns of the
// device with an uncorrectable memory error, as a broken device answers everything.
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <string>

namespace {

std::atomic<int> steps{0};

bool broken() {
  const char* limit = std::getenv("FAILING_GPU_AFTER");
  return limit != nullptr && steps > std::atoi(limit);
}

// The function of the CUDA runtime that the program has loaded.
template <typename Function>
Function* original(const char* name) {
  static const std::string library = "libcudart.so." + std::to_string(CUDART_VERSION / 1000);
  void* const runtime = ::dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD);
  return reinterpret_cast<Function*>(::dlsym(runtime, name));
}

}  // namespace

extern "C" {

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  ++steps;
  return original<decltype(cudaGraphLaunch)>("cudaGraphLaunch")(graph, stream);
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (broken()) return cudaErrorECCUncorrectable;
  return original<decltype(cudaEventQuery)>("cudaEventQuery")(event);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (broken()) return cudaErrorECCUncorrectable;
  return original<decltype(cudaEventSynchronize)>("cudaEventSynchronize")(event);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (broken()) return cudaErrorECCUncorrectable;
  return original<decltype(cudaStreamSynchronize)>("cudaStreamSynchronize")(stream);
}
}
