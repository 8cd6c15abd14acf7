// A GPU whose driver makes no recorded graph executable: loaded before the program (LD_PRELOAD).
#include <cuda_runtime_api.h>

extern "C" cudaError_t cudaGraphInstantiate(cudaGraphExec_t*, cudaGraph_t, unsigned long long) {
  return cudaErrorNotSupported;
}
