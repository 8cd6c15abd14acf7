#include "device/cuda_module.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

constexpr const char* file_name = "libconvoy_cuda.so";

// Locations of the module if no environment variable names one.
std::vector<fs::path> usual_places() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  if (program.empty()) return {};
  const fs::path folder = program.parent_path();
  return {folder / file_name, folder.parent_path() / "lib" / "convoy" / file_name};
}

// The module's file; empty, with `refusal` set, if there is none.
std::string find_module(std::string& refusal) {
  std::error_code ignored;
  if (const char* named = std::getenv("CONVOY_CUDA_MODULE"); named != nullptr && *named != '\0') {
    if (fs::exists(named, ignored)) return named;
    refusal = fmt::format("CONVOY_CUDA_MODULE names a file that does not exist: {}", named);
    return {};
  }
  const std::vector<fs::path> places = usual_places();
  for (const fs::path& place : places)
    if (fs::exists(place, ignored)) return place;
  refusal = CONVOY_BUILT_WITH_CUDA
                ? fmt::format("Convoy's CUDA module {} is not beside the program", file_name)
                : std::string("this build of Convoy has no CUDA module");
  for (const fs::path& place : places)
    refusal += fmt::format("{} {}", &place == &places[0] ? ": neither" : " nor", place.string());
  refusal +=
      " exists; build it on a machine with nvcc, cuDNN and NCCL "
      "(cmake -DCONVOY_CUDA=ON lists missing parts), or set CONVOY_CUDA_MODULE to its file";
  return {};
}

// The source of a library that the CUDA module needs.
std::string source_of(std::string_view library) {
  struct Source {
    std::string_view start, text;
  };
  constexpr Source sources[] = {
      {"libcudart", "the CUDA runtime (package cuda-cudart-13-0, or the cluster's module of CUDA)"},
      {"libcublas", "cuBLAS (package libcublas-13-0, or the cluster's module of CUDA)"},
      {"libcudnn", "cuDNN 9 (package libcudnn9-cuda-13, or the cluster's module of cuDNN)"},
      {"libnccl", "NCCL 2 (package libnccl2, or the cluster's module of NCCL)"},
      {"libcuda.", "NVIDIA's driver"},
  };
  for (const Source& source : sources)
    if (library.starts_with(source.start)) return std::string(source.text);
  return "a library that the CUDA module needs";
}

}  // namespace

std::string module_loading_refusal(const std::string& file, const std::string& reason) {
  // "libcudnn.so.9: cannot open shared object file: No such file or directory"
  const std::string_view whole = reason;
  if (const auto end = whole.find(": cannot open shared object file"); end != std::string_view::npos) {
    const std::string library(whole.substr(0, end));
    if (library == file) return fmt::format("the CUDA module {} cannot be read: {}", file, reason);
    return fmt::format(
        "the CUDA module {} needs {}, which this system does not find: install {}, "
        "or add its folder to LD_LIBRARY_PATH",
        file, library, source_of(library));
  }
  // "libcudnn.so.9: version `libcudnn.so.9' not found (required by …)", "…: undefined symbol: cudnnCreate"
  if (whole.find("undefined symbol") != std::string_view::npos ||
      (whole.find("version") != std::string_view::npos && whole.find("not found") != std::string_view::npos))
    return fmt::format(
        "the CUDA module {} was built with another version of a library than the one found here ({}): "
        "load the version it was built with, or build Convoy again",
        file, reason);
  return fmt::format("the CUDA module {} cannot be loaded: {}", file, reason);
}

CudaModule::CudaModule() {
  const std::string file = find_module(refusal_);
  if (file.empty()) return;
  handle_ = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    const char* reason = ::dlerror();
    refusal_ = module_loading_refusal(file, reason == nullptr ? "no reason given" : reason);
    return;
  }
  auto* version = reinterpret_cast<ConvoyCudaVersion*>(::dlsym(handle_, "convoy_cuda_version"));
  const std::string_view found = version == nullptr ? "unknown" : version();
  if (found == CONVOY_VERSION) return;
  refusal_ = fmt::format(
      "the CUDA module {} belongs to another version of Convoy ({}, the program is {}): "
      "build or install both together",
      file, found, CONVOY_VERSION);
  handle_ = nullptr;  // remains open, but is never called
}

void* CudaModule::symbol(const char* name) const {
  if (handle_ == nullptr) fail(ExitCode::usage, "{}", refusal_);
  void* found = ::dlsym(handle_, name);
  if (found == nullptr) fail(ExitCode::bug, "the CUDA module lacks its entry point {}", name);
  return found;
}

}  // namespace convoy
