// What the readers of this folder return, collected: names without the prefixes of PyTorch's wrappers, each
// once; and the arithmetic of shapes, whose numbers come from files that may say anything.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "foreign/named_tensor.hpp"

namespace convoy {

// The name without "module." (DataParallel, DistributedDataParallel) and "_orig_mod." (torch.compile) at its
// start.
std::string_view without_wrappers(std::string_view name);

// The number of elements of a shape; nothing if an extent is negative or the product does not fit 63 bits.
std::optional<std::uint64_t> element_count(std::span<const std::int64_t> shape);

class TensorList {
 public:
  // Registers a tensor's name as it is in the file and returns it without wrappers. Throws
  // ExitCode::bad_data (without the file's name) if there is such a tensor already.
  std::string claim(std::string_view name);

  void add(NamedTensor tensor) { tensors_.push_back(std::move(tensor)); }
  std::vector<NamedTensor> take() { return std::move(tensors_); }

 private:
  std::set<std::string, std::less<>> names_;
  std::vector<NamedTensor> tensors_;
};

}  // namespace convoy
