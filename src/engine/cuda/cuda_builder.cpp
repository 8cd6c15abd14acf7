#include "engine/cuda/cuda_builder.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "device/cuda/check.hpp"

namespace convoy::cuda {

namespace {

constexpr int forever = std::numeric_limits<int>::max();

}  // namespace

Builder::Builder(const ProgramResources& resources, const ProgramOptions& options, bool keep_all)
    : resources_(resources), options_(options), keep_all_(keep_all) {}

MapShape Builder::map(const Shape& shape) const {
  return {.rows = options_.batch,
          .channels = shape.channels,
          .height = shape.height,
          .width = shape.width,
          .layout = layout_of(options_.precision),
          .element = element_of(options_.precision)};
}

Tensor* Builder::tensor(const MapShape& shape) {
  return &tensors_.emplace_back(
      Tensor{.shape = shape, .bytes = shape.bytes(), .data = nullptr, .first = now_, .last = now_});
}

Tensor* Builder::scratch(std::size_t bytes) {
  return &tensors_.emplace_back(
      Tensor{.shape = {}, .bytes = bytes, .data = nullptr, .first = now_, .last = now_});
}

Tensor* Builder::lasting(std::size_t bytes) {
  Tensor* result = scratch(bytes);
  result->first = 0;
  result->last = forever;
  return result;
}

Tensor* Builder::enlarged(Tensor*& workspace, std::size_t bytes) {
  if (workspace == nullptr) workspace = lasting(0);
  workspace->bytes = std::max(workspace->bytes, bytes);
  return workspace;
}

Tensor* Builder::workspace(std::size_t bytes) {
  return enlarged(workspace_, bytes);
}

Tensor* Builder::side_workspace(std::size_t bytes) {
  return enlarged(side_workspace_, bytes);
}

LibraryConvolution* Builder::convolution(std::string name, const ConvolutionShape& shape, bool relu) {
  return &convolutions_.emplace_back(libraries(), std::move(name), shape, options_.precision, relu);
}

ParameterView Builder::parameter(std::string_view layer, ParameterKind kind) const {
  const Parameter& parameter = resources_.table->find(layer, kind);
  ParameterView view;
  view.values = resources_.parameters + parameter.offset;
  const Element element = element_of(options_.precision);
  view.operand = element == Element::float32
                     ? static_cast<const void*>(view.values)
                     : static_cast<const void*>(resources_.narrow + parameter.offset * bytes_of(element));
  view.gradient = resources_.gradients == nullptr ? nullptr : resources_.gradients + parameter.offset;
  view.begin = parameter.offset;
  view.end = parameter.offset + parameter.elements;
  return view;
}

void Builder::choose_algorithms() {
  if (convolutions_.empty()) return;
  try {
    try_algorithms();
  } catch (const OutOfDeviceMemory& error) {
    explain(error);
  }
}

void Builder::try_algorithms() {
  std::size_t input = 0, output = 0, filter = 0;
  for (const LibraryConvolution& convolution : convolutions_) {
    input = std::max(input, convolution.shape().input.bytes());
    output = std::max(output, convolution.shape().output.bytes());
    filter = std::max({filter, convolution.filter_bytes(), convolution.gradient_bytes()});
  }
  const auto reserved = [&](std::size_t bytes) {
    return DeviceMemory(bytes, "choosing algorithms of convolutions");
  };
  const DeviceMemory inputs = reserved(input), outputs = reserved(output), filters = reserved(filter);
  const bool branches = branch() != nullptr && training();
  const DeviceMemory input_gradients = reserved(branches ? input : 0);
  const DeviceMemory filter_gradients = reserved(branches ? filter : 0);
  // Not all that is free: a batch that just fits must not fail for want of room to try on. By rule, what does
  // not fit is an error: the choice must not depend on the memory that is free.
  const std::size_t most =
      resources_.deterministic ? std::numeric_limits<std::size_t>::max() : memory_facts().free / 4 * 3;
  DeviceMemory workspace, side_workspace;
  const auto grown = [&](DeviceMemory& memory, const DeviceMemory& other, std::size_t bytes) -> void* {
    if (bytes > most || other.size() > most - bytes) return nullptr;
    if (bytes > memory.size()) {
      memory = DeviceMemory();
      memory = reserved(bytes);
    }
    return memory.data();
  };
  const ConvolutionScratch scratch{
      .input = inputs.data(),
      .output = outputs.data(),
      .filter = filters.data(),
      .input_gradient = input_gradients.data(),
      .filter_gradient = filter_gradients.data(),
      .workspace = [&](std::size_t bytes) { return grown(workspace, side_workspace, bytes); },
      .side_workspace = [&](std::size_t bytes) { return grown(side_workspace, workspace, bytes); }};
  const ConvolutionRule rule{.deterministic = resources_.deterministic, .training = training()};
  for (LibraryConvolution& convolution : convolutions_) {
    convolution.choose(*resources_.tuner, rule, scratch);
    this->workspace(convolution.workspace_bytes());
    if (branches) this->side_workspace(convolution.side_workspace_bytes());
  }
  check(cudaStreamSynchronize(resources_.compute), "trying algorithms of convolutions");
}

std::size_t Builder::plan(std::vector<PlannedPiece>& pieces) const {
  for (const Tensor& tensor : tensors_) {
    pieces.push_back({tensor.bytes, keep_all_ ? 0 : tensor.first, keep_all_ ? forever : tensor.last});
  }
  return plan_memory(pieces);
}

void Builder::explain(const OutOfDeviceMemory& error) const {
  std::vector<PlannedPiece> pieces;
  const std::size_t row = std::max<std::size_t>(1, plan(pieces) / static_cast<std::size_t>(options_.batch));
  // A tenth less than would fill it: the workspace may not shrink with the batch.
  std::size_t fits = memory_facts().free / 10 * 9 / row;
  for (const Tensor& tensor : tensors_) {
    if (tensor.bytes == 0 || tensor.shape.elements() == 0) continue;
    fits = std::min(fits, static_cast<std::size_t>(most_map_elements / tensor.shape.row_elements()));
  }
  throw OutOfDeviceMemory(fmt::format("{}; {} with a batch of {} needs about {} MiB: {}", error.what(),
                                      training() ? "training" : "evaluation", options_.batch,
                                      row * static_cast<std::size_t>(options_.batch) >> 20,
                                      fits > 0 ? fmt::format("a batch of about {} would fit", fits)
                                               : std::string("not even one image fits")));
}

std::size_t Builder::workspace_bytes() const {
  return (workspace_ != nullptr ? workspace_->bytes : 0) +
         (side_workspace_ != nullptr ? side_workspace_->bytes : 0);
}

DeviceMemory Builder::place() {
  std::vector<PlannedPiece> pieces;
  const std::size_t bytes = plan(pieces);
  DeviceMemory arena;
  try {
    arena = DeviceMemory(bytes, "a program's activations and gradients");
  } catch (const OutOfDeviceMemory& error) {
    explain(error);
  }
  std::size_t index = 0;
  for (Tensor& tensor : tensors_) tensor.data = arena.data() + pieces[index++].offset;
  return arena;
}

}  // namespace convoy::cuda
