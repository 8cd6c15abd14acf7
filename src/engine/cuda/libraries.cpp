#include "engine/cuda/libraries.hpp"

#include "base/error.hpp"

namespace convoy::cuda {

void check(cudnnStatus_t status, const char* what, std::source_location where) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char reason[512] = {};
  cudnnGetLastErrorString(reason, sizeof(reason));
  fail(ExitCode::device, "cuDNN failed to run {}: {} ({}; {}:{})", what, cudnnGetErrorString(status),
       reason[0] != '\0' ? reason : "no reason given", where.file_name(), where.line());
}

void check(cublasStatus_t status, const char* what, std::source_location where) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail(ExitCode::device, "cuBLASLt failed to run {}: {} ({}:{})", what, cublasLtGetStatusString(status),
       where.file_name(), where.line());
}

Libraries::Libraries(cudaStream_t stream) : stream_(stream) {
  cudnnHandle_t cudnn = nullptr;
  check(cudnnCreate(&cudnn), "a handle");
  cudnn_.reset(cudnn);
  check(cudnnSetStream(cudnn, stream), "a stream");
  cublasLtHandle_t cublas = nullptr;
  check(cublasLtCreate(&cublas), "a handle");
  cublas_.reset(cublas);
}

cudnnDataType_t cudnn_type(Element element) {
  switch (element) {
    case Element::float32:
      return CUDNN_DATA_FLOAT;
    case Element::bfloat16:
      return CUDNN_DATA_BFLOAT16;
    case Element::float16:
      return CUDNN_DATA_HALF;
  }
  fail(ExitCode::bug, "an element that cuDNN does not know");
}

cudnnTensorFormat_t cudnn_format(Layout layout) {
  return layout == Layout::channels_last ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW;
}

cudaDataType_t cublas_type(Element element) {
  switch (element) {
    case Element::float32:
      return CUDA_R_32F;
    case Element::bfloat16:
      return CUDA_R_16BF;
    case Element::float16:
      return CUDA_R_16F;
  }
  fail(ExitCode::bug, "an element that cuBLASLt does not know");
}

TensorDescriptor describe(const MapShape& shape, int slices) {
  if (shape.elements() * slices > most_map_elements) {
    fail(ExitCode::usage,
         "cuDNN's maps have at most 2^31 - 1 elements, and {} images of {} x {} x {} are more: at most {} "
         "images go through a GPU at once. Take more ranks, a smaller --global-batch, or --accumulate",
         shape.rows, shape.channels * slices, shape.height, shape.width,
         most_map_elements / (shape.row_elements() * slices));
  }
  cudnnTensorDescriptor_t descriptor = nullptr;
  check(cudnnCreateTensorDescriptor(&descriptor), "a tensor descriptor");
  TensorDescriptor owner(descriptor);
  if (slices == 1) {
    check(cudnnSetTensor4dDescriptor(descriptor, cudnn_format(shape.layout), cudnn_type(shape.element),
                                     shape.rows, shape.channels, shape.height, shape.width),
          "a batch of maps");
    return owner;
  }
  const int pitch = shape.channels * slices, plane = shape.height * shape.width;
  const bool last = shape.layout == Layout::channels_last;
  check(cudnnSetTensor4dDescriptorEx(descriptor, cudnn_type(shape.element), shape.rows, shape.channels,
                                     shape.height, shape.width, pitch * plane, last ? 1 : plane,
                                     last ? shape.width * pitch : shape.width, last ? pitch : 1),
        "a slice of a batch of maps");
  return owner;
}

}  // namespace convoy::cuda
