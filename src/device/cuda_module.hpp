// The CUDA part of Convoy is a module loaded at run time, so that the same installation starts on machines
// without libcudart, cuDNN or NCCL. This file finds and loads it; engine/engine.cpp, device/cuda_devices.cpp
// and comm/gpu_collective.cpp get their entry points from it.
//
// The module is the file libconvoy_cuda.so: the one in the environment variable CONVOY_CUDA_MODULE, otherwise
// the one beside the program, otherwise the one in ../lib/convoy relative to the program's folder. It is
// loaded once per process (the system counts) and never unloaded.
#pragma once

#include <string>

namespace convoy {

class CudaModule {
 public:
  // Loads the module. Never throws: see refusal().
  CudaModule();

  // The reason why there is no module (not built; the file; the library that the system's loader misses;
  // another version of Convoy); empty if it is loaded.
  const std::string& refusal() const { return refusal_; }

  // An entry point: an extern "C" function of the module, of the type stated in the header that names it.
  // Throws ExitCode::bug if the loaded module lacks it, ExitCode::usage with refusal() if there is no module.
  template <typename Function>
  Function* entry(const char* name) const {
    return reinterpret_cast<Function*>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;
  void* handle_ = nullptr;
  std::string refusal_;
};

// The reason why the system's loader did not load the module `file`, in plain words: `reason` is the text of
// dlerror. Pure.
std::string module_loading_refusal(const std::string& file, const std::string& reason);

// Entry point of the module, implemented in device/cuda/module/: its version of Convoy, which must be the
// program's, since both share C++ classes.
extern "C" {
using ConvoyCudaVersion = const char*();  // "convoy_cuda_version"
}

}  // namespace convoy
