#include "engine/cpu/convolution_layouts.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "engine/cpu/chain_trial.hpp"

namespace convoy::cpu {

namespace {

using Tag = memory::format_tag;

struct NamedLayouts {
  const char* name;
  ConvolutionLayouts layouts;
};

// oneDNN's choice comes first: at equal cost it stays. A copy of the output costs less than a pool in scalar
// code, and the backward pass finds its operands blocked.
constexpr std::array<NamedLayouts, 8> all_layouts{{
    {"oneDNN's layouts", {}},
    {"input in patches", {.patches = true}},
    {"output copied to nChw16c", {.copied = Tag::nChw16c}},
    {"output copied to nChw8c", {.copied = Tag::nChw8c}},
    {"nhwc", {.input = Tag::nhwc, .output = Tag::nhwc}},
    {"output nChw16c", {.output = Tag::nChw16c}},
    {"output nChw8c", {.output = Tag::nChw8c}},
    // A product may be faster than generated code that adds over positions (conv3, 86 instead of 106 ms for
    // 32 images on one thread of a Zen 3), but the maps are copied for it: only a measurement can tell.
    {"gradient of weights from nchw", {.weights_gradient = Tag::nchw}},
}};

constexpr int scalar_cost = 8, copy_cost = 1, patch_cost = 1;

// A rule cannot know whether this pays.
bool is_for_measurement(const ConvolutionLayouts& layouts) {
  return layouts.weights_gradient != Tag::any;
}

struct Served {
  const NamedLayouts* named = nullptr;
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

std::optional<Served> serve(Builder& builder, const NamedLayouts& named, const LayoutQuery& query) {
  const ConvolutionLayouts& layouts = named.layouts;
  try {
    Served result{&named, query.describe(layouts)};
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

// In the order of cost, those that only a measurement can choose last. Nothing that runs a scalar loop is
// offered beside one that does not: in scalar code a convolution takes minutes, too long even to be measured,
// and a pool several times as long as the convolution before it.
std::vector<Served> served_layouts(Builder& builder, const LayoutQuery& query) {
  std::vector<Served> result;
  for (const NamedLayouts& named : all_layouts) {
    if (named.layouts.patches && !query.patchable) continue;
    if (is_for_measurement(named.layouts) && !builder.training()) continue;
    const std::optional<Served> served = serve(builder, named, query);
    if (!served) continue;
    const bool scalar = is_scalar(served->convolution.implementation);
    const bool known = std::ranges::any_of(result, [&](const Served& other) {
      const ConvolutionLayouts &ours = named.layouts, &theirs = other.named->layouts;
      return theirs.copied == ours.copied && theirs.weights_gradient == ours.weights_gradient &&
             other.convolution.input == served->convolution.input &&
             other.convolution.output == served->convolution.output;
    });
    if (result.empty() || (!scalar && !known)) result.push_back(*served);
  }
  std::ranges::stable_sort(result, {}, [](const Served& served) {
    return std::pair(is_for_measurement(served.named->layouts), served.cost);
  });
  const int most = result.empty() ? 0 : result.front().cost + scalar_cost;
  std::erase_if(result, [&](const Served& served) { return served.cost >= most; });
  return result;
}

// Every rank asks the same questions with candidates of the same names, whatever its CPU serves: rank 0's
// answer is then known everywhere, and a rank that does not serve it takes its own first.
ConvolutionLayouts ask(Builder& builder, const LayoutQuery& query, const std::vector<Served>& served) {
  ChainBench bench(builder, query.input);
  Question question{.what = query.name + ", layouts",
                    .key = chain_key(builder, query.input),
                    .tolerance = chain_tolerance(),
                    .candidates = {}};
  std::vector<const NamedLayouts*> candidates;
  for (const Served& one : served) {
    candidates.push_back(one.named);
    question.candidates.push_back(
        {.name = one.named->name, .run = [&bench, &one] { return bench.run(one.named->layouts); }});
  }
  for (const NamedLayouts& named : all_layouts) {
    if (std::ranges::find(candidates, &named) != candidates.end()) continue;
    question.candidates.push_back({.name = named.name, .run = [] { return false; }});
  }
  const std::size_t chosen = builder.tuner().choose(question, bench);
  if (chosen < served.size()) return served[chosen].named->layouts;
  return served.empty() ? ConvolutionLayouts{} : served.front().named->layouts;
}

bool ends_in_pool_or_normalisation(std::span<const PlannedOperation> chain) {
  return std::ranges::any_of(chain.subspan(1), [](const PlannedOperation& planned) {
    return std::holds_alternative<MaxPool>(planned.kind) ||
           std::holds_alternative<LocalResponseNormalisation>(planned.kind);
  });
}

}  // namespace

bool is_scalar(const std::string& implementation) {
  const auto has = [&](const char* part) { return implementation.find(part) != std::string::npos; };
  return has("ref") || has("simple");
}

bool is_matrix_product(const std::string& implementation) {
  return implementation.find("gemm") != std::string::npos &&
         implementation.find("brgemm") == std::string::npos;
}

int implementation_cost(const std::string& implementation) {
  if (is_scalar(implementation)) return scalar_cost;
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

ConvolutionLayouts choose_layouts(Builder& builder, const LayoutQuery& query) {
  if (builder.forced() != nullptr) return *builder.forced();
  // In bf16 oneDNN's choice stays: its generated normalisation of channels-last maps rounds more often than
  // the one it takes by itself (conv1's bias gradient of a narrow `alexnet` was off by 1.9 %, where 1.5 is
  // allowed).
  if (builder.activation_type() != memory::data_type::f32 || builder.chain().empty()) return {};
  const bool measures = builder.tuner().measures();
  // Where the next operation is a convolution, it takes what this one leaves: oneDNN's choice for both.
  if (!measures && !ends_in_pool_or_normalisation(builder.chain())) return {};
  const std::vector<Served> served = served_layouts(builder, query);
  if (measures) return ask(builder, query, served);
  return served.empty() ? ConvolutionLayouts{} : served.front().named->layouts;
}

}  // namespace convoy::cpu
