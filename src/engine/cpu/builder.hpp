// What operations use while a program is compiled: tensors with lifetimes, primitives with their scratch
// memory, changes of layout, and views of the replica's parameters and gradients. Primitives and loops must
// be announced in the order in which they will run: each is a tick of the clock that lifetimes are counted
// in.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "device/aligned_buffer.hpp"
#include "engine/cpu/onednn.hpp"
#include "engine/cpu/weight_copies.hpp"
#include "engine/layer_plan.hpp"
#include "engine/program.hpp"
#include "engine/tuning/tuner.hpp"
#include "model/net_spec.hpp"
#include "model/parameter_table.hpp"

namespace convoy::cpu {

// How the input stage writes the network's input (engine/input_patches.hpp).
struct InputPatches {
  int side = 1;    // 1: pixel by pixel
  int before = 0;  // rows and columns of zeros before the image
};

// An activation, a gradient of one, or scratch memory.
struct Tensor {
  memory::desc desc;
  memory values;            // its memory is set when the program's arena is placed
  int first = 0, last = 0;  // the clock's ticks between which it lives
  bool adaptable = false;   // its producer writes any strided layout: the first consumer chooses
  bool patchable = false;   // it also writes patches, in blocks of channels too
  InputPatches patches = {};
  Tensor* owner = nullptr;  // of the memory, where this tensor is another view of it
};

// A tensor in another layout; `primitive` is empty where it already had it.
struct Conversion {
  Tensor* result = nullptr;
  Primitive primitive;
  void run(Library& library) const {
    if (primitive) primitive.run(library);
  }
};

// Parameters and gradients of a replica as a builder sees them.
struct FlatBuffers {
  float* parameters = nullptr;
  float* gradients = nullptr;  // nullptr in evaluation
  const ParameterTable* table = nullptr;
  WeightCopies* copies = nullptr;
  Backing backing = Backing::memory;  // of the program's own memory
};

// A gradient tensor inside a flat buffer: gradients, or the buffer they are added from.
struct GradientView {
  memory values;
  std::size_t offset = 0;  // elements
};

struct ConvolutionLayouts;

class Builder {
 public:
  Builder(Library& library, const FlatBuffers& flat, const ProgramOptions& options, bool keep_all,
          Tuner& tuner);

  Library& library() { return library_; }
  Tuner& tuner() { return tuner_; }
  const ProgramOptions& options() const { return options_; }
  bool training() const { return options_.mode == Mode::training; }
  dnnl::prop_kind forward_kind() const {
    return training() ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  }
  memory::dim batch() const { return options_.batch; }
  memory::data_type activation_type() const;
  // Of a batch of maps.
  memory::dims dims(const Shape& shape) const { return {batch(), shape.channels, shape.height, shape.width}; }

  // The operation that is made next, with those behind it that compute in the layout they find, and the
  // first that does not (null: the loss).
  void enter(std::span<const PlannedOperation> chain, const PlannedOperation* behind) {
    chain_ = chain;
    behind_ = behind;
  }
  std::span<const PlannedOperation> chain() const { return chain_; }
  const PlannedOperation* behind() const { return behind_; }

  // Convolutions take these layouts, which a trial gives (null: they choose). They must outlive the builder.
  void force(const ConvolutionLayouts* layouts) { forced_ = layouts; }
  const ConvolutionLayouts* forced() const { return forced_; }

  // A tensor that lives from now on, as long as it is used.
  Tensor* tensor(const memory::desc& desc);
  // The memory of `owner` seen with another description of the same bytes.
  Tensor* view(Tensor* owner, const memory::desc& desc);
  // Says that `tensor` is read or written by what is announced next.
  void use(Tensor* tensor);
  // Announces a loop of our own: later use() calls belong to the next tick.
  void tick() { ++now_; }

  // Announces a primitive over `tensors` and other `memories`; adds its scratch memory, advances the clock.
  Primitive primitive(const dnnl::primitive& primitive, const memory::desc& scratchpad,
                      const std::unordered_map<int, Tensor*>& tensors,
                      const std::unordered_map<int, memory>& memories = {});
  // Announces a change of layout where one is needed.
  Conversion convert(Tensor* tensor, const memory::desc& wanted);
  // Has the input stage write a patchable tensor in patches, as `wanted`.
  void write_in_patches(Tensor* tensor, const memory::desc& wanted, const InputPatches& patches);

  const Parameter& parameter(std::string_view layer, ParameterKind kind) const;
  // The parameter seen as `dimensions`, float32, row-major, in the flat buffer.
  memory canonical(const Parameter& parameter, const memory::dims& dimensions);
  WeightCopy* weights(const Parameter& parameter, const memory::dims& dimensions, const memory::desc& wanted);
  // A filter spread over patches, as `wanted`.
  WeightCopy* weights(const Parameter& parameter, const PatchFilter& filter, const memory::desc& wanted);
  // The same of its gradient.
  memory gradient(const Parameter& parameter, const memory::dims& dimensions);

  // Places every tensor; call once, at the end. The tensors then belong to the program.
  AlignedBuffer place();
  std::deque<Tensor> take_tensors() { return std::move(tensors_); }
  std::vector<GradientView> take_gradient_views() { return std::move(gradient_views_); }

 private:
  Library& library_;
  FlatBuffers flat_;
  ProgramOptions options_;
  bool keep_all_;
  Tuner& tuner_;
  int now_ = 0;
  std::span<const PlannedOperation> chain_;
  const PlannedOperation* behind_ = nullptr;
  const ConvolutionLayouts* forced_ = nullptr;
  std::deque<Tensor> tensors_;  // a deque: pointers stay valid
  std::vector<GradientView> gradient_views_;
};

}  // namespace convoy::cpu
