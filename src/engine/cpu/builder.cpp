#include "engine/cpu/builder.hpp"

#include <algorithm>

#include "engine/memory_plan.hpp"

namespace convoy::cpu {

Builder::Builder(Library& library, const FlatBuffers& flat, const ProgramOptions& options, bool keep_all,
                 Tuner& tuner)
    : library_(library), flat_(flat), options_(options), keep_all_(keep_all), tuner_(tuner) {}

memory::data_type Builder::activation_type() const {
  return options_.precision == Precision::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

Tensor* Builder::tensor(const memory::desc& desc) {
  return &tensors_.emplace_back(
      Tensor{.desc = desc, .values = memory(desc, library_.engine, nullptr), .first = now_, .last = now_});
}

Tensor* Builder::view(Tensor* owner, const memory::desc& desc) {
  Tensor* result = tensor(desc);
  result->owner = owner->owner != nullptr ? owner->owner : owner;
  return result;
}

void Builder::use(Tensor* tensor) {
  Tensor* owner = tensor->owner != nullptr ? tensor->owner : tensor;
  owner->last = std::max(owner->last, now_);
  owner->adaptable = owner->patchable = false;
}

Primitive Builder::primitive(const dnnl::primitive& primitive, const memory::desc& scratchpad,
                             const std::unordered_map<int, Tensor*>& tensors,
                             const std::unordered_map<int, memory>& memories) {
  std::unordered_map<int, memory> arguments = memories;
  for (const auto& [argument, tensor] : tensors) {
    use(tensor);
    arguments[argument] = tensor->values;
  }
  if (scratchpad.get_size() > 0) arguments[DNNL_ARG_SCRATCHPAD] = tensor(scratchpad)->values;
  tick();
  return {primitive, std::move(arguments)};
}

Conversion Builder::convert(Tensor* source, const memory::desc& wanted) {
  if (source->adaptable && is_strided(wanted) && data_type_of(source->desc) == data_type_of(wanted)) {
    source->desc = wanted;
    source->values = memory(wanted, library_.engine, nullptr);
  }
  source->adaptable = source->patchable = false;
  if (source->desc == wanted) return {source, {}};
  Tensor* result = tensor(wanted);
  use(source);
  const dnnl::reorder::primitive_desc description(library_.engine, source->desc, library_.engine, wanted,
                                                  user_scratchpad());
  std::unordered_map<int, memory> arguments{{DNNL_ARG_FROM, source->values}, {DNNL_ARG_TO, result->values}};
  const memory::desc scratchpad = description.scratchpad_desc();
  if (scratchpad.get_size() > 0) arguments[DNNL_ARG_SCRATCHPAD] = tensor(scratchpad)->values;
  tick();
  return {result, Primitive(dnnl::reorder(description), std::move(arguments), true)};
}

void Builder::write_in_patches(Tensor* tensor, const memory::desc& wanted, const InputPatches& patches) {
  ensure(tensor->patchable && tensor->adaptable, "an input that is written in patches has no other reader");
  ensure(channel_block_of(wanted) > 0, "patches are written in strided layouts and in blocks of channels");
  tensor->desc = wanted;
  tensor->values = memory(wanted, library_.engine, nullptr);
  tensor->patches = patches;
  tensor->adaptable = tensor->patchable = false;
}

const Parameter& Builder::parameter(std::string_view layer, ParameterKind kind) const {
  return flat_.table->find(layer, kind);
}

memory Builder::canonical(const Parameter& parameter, const memory::dims& dimensions) {
  return {plain_desc(dimensions, memory::data_type::f32), library_.engine,
          flat_.parameters + parameter.offset};
}

WeightCopy* Builder::weights(const Parameter& parameter, const memory::dims& dimensions,
                             const memory::desc& wanted) {
  return flat_.copies->get(library_, canonical(parameter, dimensions), wanted);
}

WeightCopy* Builder::weights(const Parameter& parameter, const PatchFilter& filter,
                             const memory::desc& wanted) {
  const auto elements = static_cast<memory::dim>(parameter.elements);
  return flat_.copies->get(library_, canonical(parameter, {elements}), wanted, filter);
}

memory Builder::gradient(const Parameter& parameter, const memory::dims& dimensions) {
  memory values(plain_desc(dimensions, memory::data_type::f32), library_.engine,
                flat_.gradients + parameter.offset);
  gradient_views_.push_back({values, parameter.offset});
  return values;
}

AlignedBuffer Builder::place() {
  std::vector<PlannedPiece> pieces;
  for (const Tensor& tensor : tensors_) {
    if (tensor.owner != nullptr) continue;
    pieces.push_back({tensor.desc.get_size(), keep_all_ ? 0 : tensor.first, keep_all_ ? now_ : tensor.last});
  }
  AlignedBuffer arena(plan_memory(pieces), flat_.backing);
  std::size_t index = 0;
  for (Tensor& tensor : tensors_) {
    if (tensor.owner == nullptr) tensor.values.set_data_handle(arena.data() + pieces[index++].offset);
  }
  for (Tensor& tensor : tensors_) {
    if (tensor.owner != nullptr) tensor.values.set_data_handle(tensor.owner->values.get_data_handle());
  }
  return arena;
}

}  // namespace convoy::cpu
