#include <cstring>

#include "base/error.hpp"
#include "foreign/foreign_error.hpp"
#include "foreign/tensor_list.hpp"
#include "foreign/torch_state_dict.hpp"

namespace convoy {
namespace {

bool is_contiguous(const TorchTensor& tensor) {
  std::int64_t stride = 1;
  for (std::size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != stride) return false;
    stride *= tensor.shape[i];
  }
  return true;
}

// The tensor's numbers in the order of its shape, last dimension fastest.
std::vector<std::byte> gathered(const TorchTensor& tensor, std::uint64_t count,
                                std::span<const std::byte> storage, std::size_t size) {
  std::vector<std::byte> result(count * size);
  std::vector<std::int64_t> index(tensor.shape.size());
  std::uint64_t place = tensor.offset;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(result.data() + i * size, storage.data() + place * size, size);
    for (std::size_t d = index.size(); d-- > 0;) {  // the next index
      place += static_cast<std::uint64_t>(tensor.strides[d]);
      if (++index[d] < tensor.shape[d]) break;
      place -= static_cast<std::uint64_t>(tensor.strides[d] * tensor.shape[d]);
      index[d] = 0;
    }
  }
  return result;
}

}  // namespace

TorchTensors::TorchTensors(const TorchStateDict& state) : state_(state), read_(state.storages.size()) {
  for (const TorchTensor& tensor : state.tensors)
    tensors_.push_back({tensor.name,
                        tensor.shape,
                        {},
                        std::string(word_of(number_type_words(), *state.storages[tensor.storage].type))});
}

void TorchTensors::add_storage(std::size_t storage, std::span<const std::byte> bytes) {
  const TorchStorage& source = state_.storages[storage];
  ensure(bytes.size() == source.bytes(), "a storage is read whole");
  if (read_[storage]) fail(ExitCode::bad_data, "it holds storage {} twice", readable(source.key));
  read_[storage] = true;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const TorchTensor& tensor = state_.tensors[i];
    if (tensor.storage != storage) continue;
    const std::uint64_t count = *element_count(tensor.shape);
    const std::size_t size = bytes_of(*source.type);
    if (count == 0) continue;
    tensors_[i].values = is_contiguous(tensor)
                             ? floats_of(bytes.subspan(tensor.offset * size, count * size), *source.type)
                             : floats_of(gathered(tensor, count, bytes, size), *source.type);
  }
}

std::vector<NamedTensor> TorchTensors::take() {
  for (std::size_t i = 0; i < read_.size(); ++i)
    if (state_.storages[i].needed && !read_[i])
      fail(ExitCode::bad_data, "the numbers of storage {} are missing", readable(state_.storages[i].key));
  return std::move(tensors_);
}

}  // namespace convoy
