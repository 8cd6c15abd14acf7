// An owner for a descriptor of cuDNN's graph API (cudnnBackendDescriptor_t) and its attributes. The library
// refuses a graph that it does not know at any of its calls; a descriptor remembers a refusal, as do all that
// are made of it, so that a graph is written down in one go and asked at its end. Used by
// graph_convolution.cpp and graph_engines.cpp.
#pragma once

#include <cudnn.h>

#include <cstdint>
#include <span>
#include <vector>

#include "engine/cuda/libraries.hpp"

namespace convoy::cuda {

// How an attribute of a C++ type is announced to the library.
constexpr cudnnBackendAttributeType_t attribute_type(const std::int64_t*) {
  return CUDNN_TYPE_INT64;
}
constexpr cudnnBackendAttributeType_t attribute_type(const float*) {
  return CUDNN_TYPE_FLOAT;
}
constexpr cudnnBackendAttributeType_t attribute_type(const bool*) {
  return CUDNN_TYPE_BOOLEAN;
}
constexpr cudnnBackendAttributeType_t attribute_type(void* const*) {
  return CUDNN_TYPE_VOID_PTR;
}
constexpr cudnnBackendAttributeType_t attribute_type(const cudnnHandle_t*) {
  return CUDNN_TYPE_HANDLE;
}
constexpr cudnnBackendAttributeType_t attribute_type(const cudnnDataType_t*) {
  return CUDNN_TYPE_DATA_TYPE;
}
constexpr cudnnBackendAttributeType_t attribute_type(const cudnnConvolutionMode_t*) {
  return CUDNN_TYPE_CONVOLUTION_MODE;
}
constexpr cudnnBackendAttributeType_t attribute_type(const cudnnPointwiseMode_t*) {
  return CUDNN_TYPE_POINTWISE_MODE;
}
constexpr cudnnBackendAttributeType_t attribute_type(const cudnnNanPropagation_t*) {
  return CUDNN_TYPE_NAN_PROPOGATION;
}
constexpr cudnnBackendAttributeType_t attribute_type(const cudnnBackendHeurMode_t*) {
  return CUDNN_TYPE_HEUR_MODE;
}
constexpr cudnnBackendAttributeType_t attribute_type(const cudnnBackendNumericalNote_t*) {
  return CUDNN_TYPE_NUMERICAL_NOTE;
}
constexpr cudnnBackendAttributeType_t attribute_type(const cudnnBackendKnobType_t*) {
  return CUDNN_TYPE_KNOB_TYPE;
}

class BackendDescriptor {
 public:
  explicit BackendDescriptor(cudnnBackendDescriptorType_t type);

  // Whether the library has accepted everything so far.
  bool sound() const { return sound_; }
  cudnnBackendDescriptor_t get() const { return descriptor_.get(); }

  template <typename T>
  void set(cudnnBackendAttributeName_t name, const T& value) {
    put(name, attribute_type(&value), 1, &value);
  }
  template <typename T>
  void set_all(cudnnBackendAttributeName_t name, std::span<const T> values) {
    put(name, attribute_type(values.data()), values.size(), values.data());
  }
  // Descriptors that this one is made of, all of them finalized.
  void set_part(cudnnBackendAttributeName_t name, const BackendDescriptor& part) { set_parts(name, {&part}); }
  void set_parts(cudnnBackendAttributeName_t name, const std::vector<const BackendDescriptor*>& parts);

  // Ends the attributes. Returns sound().
  bool finalize();

  // Up to `most` values of an attribute, none where the library has none to tell.
  template <typename T>
  std::vector<T> values(cudnnBackendAttributeName_t name, std::size_t most) const {
    std::vector<T> result(most);
    result.resize(take(name, attribute_type(result.data()), most, result.data()));
    return result;
  }
  std::int64_t number(cudnnBackendAttributeName_t name, std::int64_t fallback) const {
    std::int64_t result = fallback;
    return take(name, CUDNN_TYPE_INT64, 1, &result) == 1 ? result : fallback;
  }
  // Up to `most` descriptors of `type` that are an attribute of this one; finalized.
  std::vector<BackendDescriptor> parts(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                       std::size_t most) const;
  // How many descriptors an attribute has.
  std::size_t part_count(cudnnBackendAttributeName_t name) const;

 private:
  void put(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::size_t count,
           const void* values);
  // Returns how many were written.
  std::size_t take(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::size_t most,
                   void* values) const;

  LibraryOwner<cudnnBackendDescriptor_t, cudnnBackendDestroyDescriptor> descriptor_;
  bool sound_ = false;
};

}  // namespace convoy::cuda
