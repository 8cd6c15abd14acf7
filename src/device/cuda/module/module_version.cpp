// The one file that only the CUDA module has: by which version of Convoy it was built. The program opens no
// module of another one (device/cuda_module.cpp), since they share C++ classes.
#include "device/cuda_module.hpp"

extern "C" const char* convoy_cuda_version() {
  return CONVOY_VERSION;
}
