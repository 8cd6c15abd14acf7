#include "engine/cuda/backend_descriptor.hpp"

#include <algorithm>

namespace convoy::cuda {

BackendDescriptor::BackendDescriptor(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t descriptor = nullptr;
  sound_ = cudnnBackendCreateDescriptor(type, &descriptor) == CUDNN_STATUS_SUCCESS && descriptor != nullptr;
  descriptor_.reset(descriptor);
}

void BackendDescriptor::put(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                            std::size_t count, const void* values) {
  sound_ = sound_ && cudnnBackendSetAttribute(descriptor_.get(), name, type, static_cast<std::int64_t>(count),
                                              values) == CUDNN_STATUS_SUCCESS;
}

void BackendDescriptor::set_parts(cudnnBackendAttributeName_t name,
                                  const std::vector<const BackendDescriptor*>& parts) {
  std::vector<cudnnBackendDescriptor_t> pointers;
  for (const BackendDescriptor* part : parts) {
    sound_ = sound_ && part->sound();
    pointers.push_back(part->get());
  }
  put(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, pointers.size(), pointers.data());
}

bool BackendDescriptor::finalize() {
  sound_ = sound_ && cudnnBackendFinalize(descriptor_.get()) == CUDNN_STATUS_SUCCESS;
  return sound_;
}

std::size_t BackendDescriptor::take(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                    std::size_t most, void* values) const {
  std::int64_t count = 0;
  if (!sound_ || cudnnBackendGetAttribute(descriptor_.get(), name, type, static_cast<std::int64_t>(most),
                                          &count, values) != CUDNN_STATUS_SUCCESS)
    return 0;
  return std::min(most, static_cast<std::size_t>(std::max<std::int64_t>(count, 0)));
}

std::vector<BackendDescriptor> BackendDescriptor::parts(cudnnBackendAttributeName_t name,
                                                        cudnnBackendDescriptorType_t type,
                                                        std::size_t most) const {
  // The library fills descriptors that its caller made.
  std::vector<BackendDescriptor> result;
  std::vector<cudnnBackendDescriptor_t> pointers;
  for (std::size_t i = 0; i < most; ++i) {
    result.emplace_back(type);
    if (!result.back().sound()) return {};
    pointers.push_back(result.back().get());
  }
  const std::size_t count = take(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, pointers.data());
  result.erase(result.begin() + static_cast<std::ptrdiff_t>(count), result.end());
  return result;
}

std::size_t BackendDescriptor::part_count(cudnnBackendAttributeName_t name) const {
  std::int64_t count = 0;
  if (!sound_ || cudnnBackendGetAttribute(descriptor_.get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count,
                                          nullptr) != CUDNN_STATUS_SUCCESS)
    return 0;
  return static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
}

}  // namespace convoy::cuda
