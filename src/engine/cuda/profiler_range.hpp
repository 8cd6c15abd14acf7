// A named range for profilers (NVTX) around the enqueueing of something. Used by cuda_program.cpp and
// cuda_training_replica.cpp.
#pragma once

#include <nvtx3/nvToolsExt.h>

#include <string>

namespace convoy::cuda {

class ProfilerRange {
 public:
  explicit ProfilerRange(const std::string& name) { nvtxRangePushA(name.c_str()); }
  ~ProfilerRange() { nvtxRangePop(); }
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
};

}  // namespace convoy::cuda
