// What operations use while a program is compiled for a GPU: tensors with lifetimes, the shared workspace,
// parameters and their gradients in the replica's flat buffers, and the convolutions whose algorithms the
// program chooses. Work must be announced in the order in which it will run: each tick() ends one piece of
// work, and lifetimes are counted in ticks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "device/cuda/memory.hpp"
#include "engine/cuda/convolution_library.hpp"
#include "engine/cuda/kernels.hpp"
#include "engine/cuda/libraries.hpp"
#include "engine/cuda/side_branch.hpp"
#include "engine/memory_plan.hpp"
#include "engine/program.hpp"
#include "engine/tuning/tuner.hpp"
#include "model/net_spec.hpp"
#include "model/parameter_table.hpp"

namespace convoy::cuda {

// What a replica lends its programs; everything behind it outlives them. The flat buffers are in the layout
// of the program's precision (filters KRSC, fully connected weights (H, W, C) where channels_last).
struct ProgramResources {
  const NetSpec* spec = nullptr;
  const InputSpec* input = nullptr;
  const ParameterTable* table = nullptr;
  const Libraries* libraries = nullptr;  // on the compute stream
  int device = 0;
  cudaStream_t compute = nullptr, copy = nullptr;
  const float* parameters = nullptr;
  float* gradients = nullptr;         // null in evaluation
  const std::byte* narrow = nullptr;  // 16-bit copies, element for element; null where products take float32
  const LossScaleState* loss_scale = nullptr;
  MetricSums* sums = nullptr;  // of training passes
  bool deterministic = true;
  const SideBranch* branch = nullptr;  // for gradients beside each other; null: one after the other
  bool fused_pool = true;              // ReLU, LRN and pool in one pass where the kernels serve it
  Tuner* tuner = nullptr;              // answers for all ranks alike
  // Told by a training program's backward: no pass reads elements [0, end) of the parameters any more; 0 as
  // it begins. May be empty.
  std::function<void(std::size_t end)> parameters_free;
};

// An activation, a gradient of one, or scratch memory.
struct Tensor {
  MapShape shape;  // none for scratch
  std::size_t bytes = 0;
  void* data = nullptr;       // set when the program's arena is placed
  int first = 0, last = 0;    // the ticks between which it lives
  bool overwritable = false;  // an activation that no backward pass needs as it is: dropout may work in place
};

// A parameter as operations see it.
struct ParameterView {
  const float* values = nullptr;   // float32
  const void* operand = nullptr;   // of the activations' element
  float* gradient = nullptr;       // null in evaluation
  std::size_t begin = 0, end = 0;  // elements of the flat buffers
};

class Builder {
 public:
  // `keep_all`: no tensor shares memory with another.
  Builder(const ProgramResources& resources, const ProgramOptions& options, bool keep_all);

  const Libraries& libraries() const { return *resources_.libraries; }
  Tuner* tuner() const { return resources_.tuner; }               // may be null
  const SideBranch* branch() const { return resources_.branch; }  // may be null
  Precision precision() const { return options_.precision; }
  bool training() const { return options_.mode == Mode::training; }
  bool keeps_all() const { return keep_all_; }
  int batch() const { return options_.batch; }
  MapShape map(const Shape& shape) const;  // of a batch in the program's format

  // A tensor that lives from now on, as long as it is used.
  Tensor* tensor(const MapShape& shape);
  Tensor* scratch(std::size_t bytes);
  // One that lives as long as the program.
  Tensor* lasting(std::size_t bytes);
  // Says that `tensor` is read or written by what is announced next.
  void use(Tensor* tensor) { tensor->last = std::max(tensor->last, now_); }
  void tick() { ++now_; }

  // Scratch memory that every operation may use in its turn, at least as large as any asked for.
  Tensor* workspace(std::size_t bytes);
  // The same for what runs on the branch.
  Tensor* side_workspace(std::size_t bytes);

  LibraryConvolution* convolution(std::string name, const ConvolutionShape& shape, bool relu);

  ParameterView parameter(std::string_view layer, ParameterKind kind) const;

  // Asks the tuner for the convolutions' algorithms. Call once, before place(). Throws
  // OutOfDeviceMemory, as place() does, saying which batch would fit.
  void choose_algorithms();
  // Places every tensor in one piece of memory; call once, at the end. Tensors and convolutions then belong
  // to the program.
  DeviceMemory place();
  std::size_t workspace_bytes() const;
  std::deque<Tensor> take_tensors() { return std::move(tensors_); }
  std::deque<LibraryConvolution> take_convolutions() { return std::move(convolutions_); }

 private:
  void try_algorithms();
  Tensor* enlarged(Tensor*& workspace, std::size_t bytes);
  std::size_t plan(std::vector<PlannedPiece>& pieces) const;
  [[noreturn]] void explain(const OutOfDeviceMemory& error) const;

  const ProgramResources& resources_;
  ProgramOptions options_;
  bool keep_all_;
  int now_ = 0;
  std::deque<Tensor> tensors_;  // a deque: pointers stay valid
  std::deque<LibraryConvolution> convolutions_;
  Tensor *workspace_ = nullptr, *side_workspace_ = nullptr;
};

}  // namespace convoy::cuda
