#include "engine/cpu/onednn_version.hpp"

#include <fmt/format.h>

#include <dnnl.hpp>

namespace convoy {

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  const bool openmp = version->cpu_runtime == DNNL_RUNTIME_OMP;
  return fmt::format("{}.{}.{}{}", version->major, version->minor, version->patch, openmp ? " (OpenMP)" : "");
}

}  // namespace convoy
