// A state dict of PyTorch as a pickle describes it: tensors as views of storages, whose numbers lie outside
// the pickle. Used by the readers of PyTorch's two file formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "foreign/named_tensor.hpp"
#include "foreign/number_type.hpp"
#include "foreign/pickle.hpp"

namespace convoy {

struct TorchStorage {
  std::string key;                 // names its numbers in the file
  std::optional<NumberType> type;  // nothing: integers
  std::uint64_t number_bytes = 4;
  std::uint64_t numbers = 0;  // as the pickle claims
  bool needed = false;        // by a tensor of the state dict
  std::uint64_t bytes() const { return numbers * number_bytes; }
};

struct TorchTensor {
  std::string name;
  std::size_t storage = 0;   // index
  std::uint64_t offset = 0;  // in numbers, like the strides
  std::vector<std::int64_t> shape, strides;
};

struct TorchStateDict {
  std::vector<TorchStorage> storages;  // all of the pickle
  std::vector<TorchTensor> tensors;    // of floating-point numbers, each inside its storage
};

// Whether a pickle that holds a state dict may refer to this global: for read_pickle.
bool torch_global(std::string_view name);

// The bytes of one number in a storage of this type ("torch.FloatStorage"). Throws ExitCode::bad_data
// (without the file's name) for what is no such type.
std::uint64_t torch_number_bytes(std::string_view storage_type_name);

// The state dict in what was saved: the value itself, the value of "state_dict", "model_state_dict" or
// "model" in it, or the only dictionary of tensors in it. Tensors of integers are left out. The file has room
// for storages of at most `most_bytes` together. Throws ExitCode::bad_data (without the file's name).
TorchStateDict torch_state_dict(const Pickle& pickle, std::uint64_t most_bytes);

// Takes the numbers of the storages as they are read, in any order, and makes the tensors.
class TorchTensors {
 public:
  explicit TorchTensors(const TorchStateDict& state);
  void add_storage(std::size_t storage,
                   std::span<const std::byte> bytes);  // bytes.size() == storage's bytes()
  // Throws ExitCode::bad_data (without the file's name) if the numbers of a tensor were not in the file.
  std::vector<NamedTensor> take();

 private:
  const TorchStateDict& state_;
  std::vector<bool> read_;  // by storage
  std::vector<NamedTensor> tensors_;
};

}  // namespace convoy
