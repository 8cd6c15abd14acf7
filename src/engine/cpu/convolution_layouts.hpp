// Which layouts a convolution reads and writes. oneDNN's own choice looks at the convolution alone; the
// normalisation and the pool behind it run in whatever layout it leaves. Here the whole chain is judged: by a
// rule over the implementations that oneDNN offers for it, so that the bits of a result do not depend on a
// measurement, or where the tuner measures (engine/tuning/tuner.hpp) by running it. For float32 maps. Used by
// convolution.cpp; normalisation.cpp and max_pool.cpp describe the links, chain_trial.cpp runs them.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "engine/cpu/builder.hpp"

namespace convoy::cpu {

// A way to lay out the maps of a convolution; `any` leaves a layout to oneDNN.
struct ConvolutionLayouts {
  using Tag = memory::format_tag;
  Tag input = Tag::any, output = Tag::any;
  Tag copied = Tag::any;  // into which the output is copied before anything reads it; any: not copied
  bool patches = false;   // over an input in patches (engine/input_patches.hpp)
  Tag weights_gradient = Tag::any;  // both maps, where the gradient of the weights is computed
};

// One operation of the chain as oneDNN would run it.
struct ChainLink {
  std::string implementation;  // "jit:avx2", "x64:gemm:jit", "ref:any"
  memory::desc input, output;
};

// Whether an operation computes in the layout that it finds.
bool follows_layout(const PlannedOperation& planned);

// The operation at `first` with those directly behind it that follow its layout.
std::span<const PlannedOperation> chain_at(std::span<const PlannedOperation> operations, std::size_t first);

ChainLink link_of(Builder& builder, const LocalResponseNormalisation& layer, const PlannedOperation& planned,
                  const memory::desc& input);
ChainLink link_of(Builder& builder, const MaxPool& layer, const PlannedOperation& planned,
                  const memory::desc& input);

// How slow an implementation is, from its name: 0 for code generated for the operation, more for a matrix
// product behind an unfolding of the maps, most for scalar loops.
int implementation_cost(const std::string& implementation);

// Whether an implementation runs scalar loops.
bool is_scalar(const std::string& implementation);

// Whether an implementation is a product of plain matrices.
bool is_matrix_product(const std::string& implementation);

// The layout in which a convolution likes its input.
memory::desc liked_input(Builder& builder, const Convolution& layer, const PlannedOperation& planned);

// What a convolution asks for its layouts.
struct LayoutQuery {
  const std::string& name;  // the layer's
  const Tensor& input;
  bool patchable = false;  // the input may be written in patches
  // Throws dnnl::error for layouts that oneDNN does not serve.
  std::function<ChainLink(const ConvolutionLayouts&)> describe;
};

// The layouts for the convolution that `builder` is at (Builder::chain()).
ConvolutionLayouts choose_layouts(Builder& builder, const LayoutQuery& query);

}  // namespace convoy::cpu
