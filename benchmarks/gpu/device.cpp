#include "device.hpp"

#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/philox.hpp"
#include "device/cuda/check.hpp"
#include "engine/cuda/libraries.hpp"
#include "timing.hpp"

namespace convoy::gpu_benchmark {
namespace {

using cuda::check;

int attribute(cudaDeviceAttr which) {
  int device = 0, value = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute");
  return value;
}

struct Sheet {
  std::string_view name;  // stands in the device's name; the first match counts
  double terabytes, fp32, tf32, narrow;
};
constexpr Sheet sheets[] = {
    {"H100 PCIe", 2.04, 51, 378, 756},
    {"H100 NVL", 3.9, 60, 417, 835},
    {"H100", 3.35, 67, 495, 989},
    {"H200", 4.8, 67, 495, 989},
    {"A100-SXM4-80GB", 2.04, 19.5, 156, 312},
    {"A100", 1.56, 19.5, 156, 312},
    {"B200", 8, 75, 1100, 2250},
};

// side × side matrices: C = A · B, with the method that cuBLASLt thinks best.
class SquareProduct {
 public:
  SquareProduct(Precision precision, int side)
      : element_(cuda::element_of(precision)),
        a_(random_memory(std::size_t(side) * side, element_)),
        b_(random_memory(std::size_t(side) * side, element_)),
        c_(zero_memory(std::size_t(side) * side * cuda::bytes_of(element_))),
        workspace_(workspace_bytes, "a matrix product's workspace") {
    cublasLtHandle_t handle = nullptr;
    check(cublasLtCreate(&handle), "cublasLtCreate");
    handle_.reset(handle);
    cublasLtMatmulDesc_t operation = nullptr;
    check(cublasLtMatmulDescCreate(
              &operation, precision == Precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
              CUDA_R_32F),
          "cublasLtMatmulDescCreate");
    operation_.reset(operation);
    cublasLtMatrixLayout_t layout = nullptr;
    check(cublasLtMatrixLayoutCreate(&layout, cuda::cublas_type(element_), side, side, side),
          "cublasLtMatrixLayoutCreate");
    layout_.reset(layout);
    choose();
  }

  void run(cudaStream_t stream) const {
    const float one = 1, zero = 0;
    check(cublasLtMatmul(handle_.get(), operation_.get(), &one, a_.data(), layout_.get(), b_.data(),
                         layout_.get(), &zero, c_.data(), layout_.get(), c_.data(), layout_.get(),
                         &algorithm_, workspace_.data(), workspace_.size(), stream),
          "cublasLtMatmul");
  }

 private:
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

  void choose() {
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
    const cuda::ProductPreference owner(preference);
    check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &workspace_bytes, sizeof workspace_bytes),
          "cublasLtMatmulPreferenceSetAttribute");
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    check(cublasLtMatmulAlgoGetHeuristic(handle_.get(), operation_.get(), layout_.get(), layout_.get(),
                                         layout_.get(), layout_.get(), preference, 1, &result, &found),
          "cublasLtMatmulAlgoGetHeuristic");
    if (found == 0) fail(ExitCode::device, "cuBLASLt has no method for a plain matrix product");
    algorithm_ = result.algo;
  }

  cuda::Element element_;
  cuda::DeviceMemory a_, b_, c_, workspace_;
  cuda::CublasLtHandle handle_;
  cuda::ProductDescriptor operation_;
  cuda::MatrixLayout layout_;
  cublasLtMatmulAlgo_t algorithm_{};
};

// `count` random numbers in the format of `element`.
std::vector<std::byte> random_bytes(std::size_t count, cuda::Element element) {
  std::vector<std::byte> bytes(count * cuda::bytes_of(element));
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t word = philox(7, {{static_cast<std::uint32_t>(i), 0, 0, 0}}).word[0];
    const float value = static_cast<float>(word) * 0x1p-31F - 1;
    if (element == cuda::Element::float32) {
      reinterpret_cast<float*>(bytes.data())[i] = value;
    } else if (element == cuda::Element::bfloat16) {
      reinterpret_cast<__nv_bfloat16*>(bytes.data())[i] = __float2bfloat16(value);
    } else {
      reinterpret_cast<__half*>(bytes.data())[i] = __float2half(value);
    }
  }
  return bytes;
}

}  // namespace

DeviceFacts device_facts() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  DeviceFacts facts;
  facts.name = properties.name;
  facts.major = attribute(cudaDevAttrComputeCapabilityMajor);
  facts.minor = attribute(cudaDevAttrComputeCapabilityMinor);
  facts.processors = attribute(cudaDevAttrMultiProcessorCount);
  facts.level2_bytes = static_cast<std::size_t>(attribute(cudaDevAttrL2CacheSize));
  facts.memory_bytes = cuda::memory_facts().total;
  // Where there is neither NVIDIA's driver nor Windows' in its place, what answers is no GPU.
  facts.emulated = !std::filesystem::exists("/proc/driver/nvidia") && !std::filesystem::exists("/dev/dxg");
  return facts;
}

std::optional<Hardware> data_sheet(const DeviceFacts& facts, Precision precision) {
  for (const Sheet& sheet : sheets) {
    if (facts.name.find(sheet.name) == std::string::npos) continue;
    const double rate = precision == Precision::fp32   ? sheet.fp32
                        : precision == Precision::tf32 ? sheet.tf32
                                                       : sheet.narrow;
    return Hardware{sheet.terabytes * 1e12, rate * 1e12};
  }
  return std::nullopt;
}

double copy_bandwidth(bool small) {
  const std::size_t bytes = std::size_t{1} << (small ? 20 : 30);
  const cuda::DeviceMemory from = zero_memory(bytes), to = zero_memory(bytes);
  Timer timer(small);
  const double seconds = timer.median_seconds([&](cudaStream_t stream) {
    check(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyDeviceToDevice, stream),
          "cudaMemcpyAsync");
  });
  return 2 * static_cast<double>(bytes) / seconds;
}

double host_to_device_bandwidth(bool small) {
  const std::size_t bytes = std::size_t{1} << (small ? 20 : 28);
  const cuda::PinnedMemory from(bytes, "a benchmark's images");
  std::fill_n(from.data(), bytes, std::byte{1});
  const cuda::DeviceMemory to(bytes, "a benchmark's images");
  Timer timer(small);
  const double seconds = timer.median_seconds([&](cudaStream_t stream) {
    check(cudaMemcpyAsync(to.data(), from.data(), bytes, cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
  });
  return static_cast<double>(bytes) / seconds;
}

double matrix_product_rate(Precision precision, bool small) {
  const int side = small ? 64 : 8192;
  const SquareProduct product(precision, side);
  Timer timer(small);
  const double seconds = timer.median_seconds([&](cudaStream_t stream) { product.run(stream); });
  return 2.0 * side * side * side / seconds;
}

Hardware fair_hardware(const DeviceFacts& facts, Precision precision, bool small) {
  const std::optional<Hardware> sheet = data_sheet(facts, precision);
  return {copy_bandwidth(small), sheet ? sheet->flops_per_second : matrix_product_rate(precision, small)};
}

cuda::DeviceMemory zero_memory(std::size_t bytes) {
  cuda::DeviceMemory memory(bytes, "a benchmark's operands");
  check(cudaMemset(memory.data(), 0, bytes), "cudaMemset");
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  return memory;
}

cuda::DeviceMemory random_memory(std::size_t elements, cuda::Element element) {
  constexpr std::size_t pattern_elements = std::size_t{1} << 20;
  const std::vector<std::byte> pattern = random_bytes(std::min(elements, pattern_elements), element);
  cuda::DeviceMemory memory(elements * cuda::bytes_of(element), "a benchmark's operands");
  for (std::size_t begin = 0; begin < memory.size(); begin += pattern.size()) {
    check(cudaMemcpy(memory.data() + begin, pattern.data(), std::min(pattern.size(), memory.size() - begin),
                     cudaMemcpyHostToDevice),
          "cudaMemcpy");
  }
  return memory;
}

}  // namespace convoy::gpu_benchmark
