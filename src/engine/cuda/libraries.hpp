// cuDNN and cuBLASLt as the engine's operations use them: handles and descriptors that own themselves, and
// statuses as exceptions. For engine/cuda only.
#pragma once

#include <cublasLt.h>
#include <cudnn.h>

#include <memory>
#include <source_location>
#include <type_traits>

#include "engine/cuda/map.hpp"
#include "engine/program.hpp"

namespace convoy::cuda {

// Throw ExitCode::device naming `what`, the library's own words, and where.
void check(cudnnStatus_t status, const char* what,
           std::source_location where = std::source_location::current());
void check(cublasStatus_t status, const char* what,
           std::source_location where = std::source_location::current());

// Owner of an opaque pointer that `Destroy` gives back.
template <auto Destroy>
struct LibraryDeleter {
  template <typename Object>
  void operator()(Object* object) const noexcept {
    static_cast<void>(Destroy(object));
  }
};
template <typename Pointer, auto Destroy>
using LibraryOwner = std::unique_ptr<std::remove_pointer_t<Pointer>, LibraryDeleter<Destroy>>;

using CudnnHandle = LibraryOwner<cudnnHandle_t, cudnnDestroy>;
using CublasLtHandle = LibraryOwner<cublasLtHandle_t, cublasLtDestroy>;
using TensorDescriptor = LibraryOwner<cudnnTensorDescriptor_t, cudnnDestroyTensorDescriptor>;
using FilterDescriptor = LibraryOwner<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor>;
using ConvolutionDescriptor = LibraryOwner<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor>;
using PoolingDescriptor = LibraryOwner<cudnnPoolingDescriptor_t, cudnnDestroyPoolingDescriptor>;
using LrnDescriptor = LibraryOwner<cudnnLRNDescriptor_t, cudnnDestroyLRNDescriptor>;
using ActivationDescriptor = LibraryOwner<cudnnActivationDescriptor_t, cudnnDestroyActivationDescriptor>;
using ProductDescriptor = LibraryOwner<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using MatrixLayout = LibraryOwner<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using ProductPreference = LibraryOwner<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

// Handles of the current device, one set a replica; cuDNN works on `stream`, cuBLASLt on the stream of each
// call.
class Libraries {
 public:
  explicit Libraries(cudaStream_t stream);

  cudnnHandle_t cudnn() const { return cudnn_.get(); }
  cublasLtHandle_t cublas() const { return cublas_.get(); }
  cudaStream_t stream() const { return stream_; }

 private:
  cudaStream_t stream_;
  CudnnHandle cudnn_;
  CublasLtHandle cublas_;
};

// How activations are kept in `precision`.
constexpr Element element_of(Precision precision) {
  if (precision == Precision::bf16) return Element::bfloat16;
  if (precision == Precision::fp16) return Element::float16;
  return Element::float32;
}
constexpr Layout layout_of(Precision precision) {
  return precision == Precision::fp32 ? Layout::channels_first : Layout::channels_last;
}

cudnnDataType_t cudnn_type(Element element);
cudnnTensorFormat_t cudnn_format(Layout layout);
cudaDataType_t cublas_type(Element element);

// A packed batch of maps, or the slice of `shape` in a packed batch of maps with `slices` times as many
// channels. Throws ExitCode::usage for more elements than cuDNN counts.
TensorDescriptor describe(const MapShape& shape, int slices = 1);

}  // namespace convoy::cuda
