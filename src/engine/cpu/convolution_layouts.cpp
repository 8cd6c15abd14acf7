#include "engine/cpu/convolution_layouts.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace convoy::cpu {

namespace {

using Tag = memory::format_tag;

// oneDNN's choice comes first: at equal cost it stays. A copy of the output costs less than a pool in scalar
// code, and the backward pass finds its operands blocked.
constexpr std::array<ConvolutionLayouts, 7> all_layouts{{
    {},
    {.patches = true},
    {.copied = Tag::nChw16c},
    {.copied = Tag::nChw8c},
    {.input = Tag::nhwc, .output = Tag::nhwc},
    {.output = Tag::nChw16c},
    {.output = Tag::nChw8c},
}};

constexpr int scalar_cost = 8, copy_cost = 1, patch_cost = 1;

struct Served {
  ConvolutionLayouts layouts;
  ChainLink convolution;
  int cost = 0;
};

// What the operations behind the convolution cost, the first of which finds the layout `output`.
int cost_behind(Builder& builder, std::span<const PlannedOperation> operations, memory::desc output) {
  int cost = 0;
  for (const PlannedOperation& planned : operations) {
    std::optional<ChainLink> link;
    if (const auto* pool = std::get_if<MaxPool>(&planned.kind)) {
      link = link_of(builder, *pool, planned, output);
    } else if (const auto* normalisation = std::get_if<LocalResponseNormalisation>(&planned.kind)) {
      link = link_of(builder, *normalisation, planned, output);
    }
    if (!link) continue;
    cost += implementation_cost(link->implementation);
    output = link->output;
  }
  return cost;
}

std::optional<Served> serve(Builder& builder, const ConvolutionLayouts& layouts,
                            const std::function<ChainLink(const ConvolutionLayouts&)>& describe) {
  try {
    Served result{layouts, describe(layouts)};
    result.cost = implementation_cost(result.convolution.implementation);
    if (layouts.patches) result.cost += patch_cost;
    if (layouts.copied != Tag::any) {
      const memory::desc copied(dims_of(result.convolution.output), data_type_of(result.convolution.output),
                                layouts.copied);
      if (copied == result.convolution.output) return std::nullopt;
      result.convolution.output = copied;
      result.cost += copy_cost;
    }
    result.cost += cost_behind(builder, builder.chain().subspan(1), result.convolution.output);
    return result;
  } catch (const dnnl::error&) {
    return std::nullopt;
  }
}

// In the order of cost. Nothing that runs a scalar loop is offered beside one that does not: a convolution
// in scalar code takes minutes, too long even to be measured.
std::vector<Served> served_layouts(Builder& builder, bool patchable,
                                   const std::function<ChainLink(const ConvolutionLayouts&)>& describe) {
  std::vector<Served> result;
  for (const ConvolutionLayouts& layouts : all_layouts) {
    if (layouts.patches && !patchable) continue;
    const std::optional<Served> served = serve(builder, layouts, describe);
    if (!served) continue;
    const bool scalar = implementation_cost(served->convolution.implementation) >= scalar_cost;
    const bool known = std::ranges::any_of(result, [&](const Served& other) {
      return other.layouts.copied == layouts.copied && other.convolution.input == served->convolution.input &&
             other.convolution.output == served->convolution.output;
    });
    if (result.empty() || (!scalar && !known)) result.push_back(*served);
  }
  std::ranges::stable_sort(result, {}, &Served::cost);
  return result;
}

bool ends_in_pool_or_normalisation(std::span<const PlannedOperation> chain) {
  return std::ranges::any_of(chain.subspan(1), [](const PlannedOperation& planned) {
    return std::holds_alternative<MaxPool>(planned.kind) ||
           std::holds_alternative<LocalResponseNormalisation>(planned.kind);
  });
}

}  // namespace

bool is_matrix_product(const std::string& implementation) {
  return implementation.find("gemm") != std::string::npos &&
         implementation.find("brgemm") == std::string::npos;
}

int implementation_cost(const std::string& implementation) {
  const auto has = [&](const char* part) { return implementation.find(part) != std::string::npos; };
  if (has("ref") || has("simple")) return scalar_cost;
  return is_matrix_product(implementation) ? 2 : 0;
}

bool follows_layout(const PlannedOperation& planned) {
  return std::holds_alternative<Relu>(planned.kind) || std::holds_alternative<ReluGradient>(planned.kind) ||
         std::holds_alternative<MaxPool>(planned.kind) ||
         std::holds_alternative<LocalResponseNormalisation>(planned.kind);
}

std::span<const PlannedOperation> chain_at(std::span<const PlannedOperation> operations, std::size_t first) {
  std::size_t end = first + 1;
  while (end < operations.size() && follows_layout(operations[end])) ++end;
  return operations.subspan(first, end - first);
}

ConvolutionLayouts choose_layouts(Builder& builder, bool patchable,
                                  const std::function<ChainLink(const ConvolutionLayouts&)>& describe) {
  // In bf16 oneDNN's choice stays: its generated normalisation of channels-last maps rounds more often than
  // the one it takes by itself (conv1's bias gradient of a narrow `alexnet` was off by 1.9 %, where 1.5 is
  // allowed).
  if (builder.activation_type() != memory::data_type::f32) return {};
  // Where the next operation is a convolution, it takes what this one leaves: oneDNN's choice for both.
  if (builder.chain().empty() || !ends_in_pool_or_normalisation(builder.chain())) return {};
  const std::vector<Served> served = served_layouts(builder, patchable, describe);
  return served.empty() ? ConvolutionLayouts{} : served.front().layouts;
}

}  // namespace convoy::cpu
