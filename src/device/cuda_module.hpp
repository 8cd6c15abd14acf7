// The CUDA part of Convoy is a module loaded at run time, so that the same installation starts on machines
// without libcudart, cuDNN or NCCL. This is where it is looked for and opened; engine/engine.cpp,
// device/cuda_devices.cpp and comm/gpu_collective.cpp take their entry points from it.
//
// The module is the file libconvoy_cuda.so: the one that the environment variable CONVOY_CUDA_MODULE names,
// else beside the program, else in ../lib/convoy beside the program's folder. It is opened once a process
// (the system counts) and never closed.
#pragma once

#include <string>

namespace convoy {

class CudaModule {
 public:
  // Opens the module. Never throws: see refusal().
  CudaModule();

  // Why there is no module (not built; the file; which library the system's loader misses; another version of
  // Convoy); empty when it is open.
  const std::string& refusal() const { return refusal_; }

  // An entry point: an extern "C" function of the module, of the type that the header which names it states.
  // Throws ExitCode::bug when an open module lacks it, ExitCode::usage with refusal() when there is none.
  template <typename Function>
  Function* entry(const char* name) const {
    return reinterpret_cast<Function*>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;
  void* handle_ = nullptr;
  std::string refusal_;
};

// Why the system's loader did not open the module `file`, in plain words: `reason` is what dlerror said.
// Pure.
std::string module_loading_refusal(const std::string& file, const std::string& reason);

// Entry point of the module, implemented in device/cuda/module/: the version of Convoy it belongs to, which
// must be the program's, since both share C++ classes.
extern "C" {
using ConvoyCudaVersion = const char*();  // "convoy_cuda_version"
}

}  // namespace convoy
