// What an optimiser's update is made of, for train/ (which fills it in) and the engines (which apply it in
// one pass over the flat buffers). The formulas stand in engine/update_arithmetic.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/words.hpp"

namespace convoy {

// sgd:       v ← μ v + g + λ w;        w ← w − ε v      (PyTorch)
// sgd_caffe: v ← μ v − ε λ w − ε g;    w ← w + v        (Krizhevsky 2012, Caffe)
// adam:      Kingma and Ba 2015, with g ← g + λ w first; slots are the uncorrected moments
enum class OptimizerRule { sgd, sgd_caffe, adam };

// Slots: the flat buffers beside the parameters that a rule keeps from update to update.
constexpr int most_optimizer_slots = 2;

struct OptimizerEntry {
  OptimizerRule rule;
  std::string_view word;                                          // of --optimizer, and in checkpoints
  std::array<std::string_view, most_optimizer_slots> slot_names;  // groups in checkpoints; empty: no slot
};

// Every rule. What it does to an element is ElementUpdate<rule> in update_arithmetic.hpp; whoever calls a
// rule by for_rule needs that to compile.
inline constexpr OptimizerEntry optimizer_table[] = {
    {OptimizerRule::sgd, "sgd", {"velocity", ""}},
    {OptimizerRule::sgd_caffe, "sgd-caffe", {"velocity", ""}},
    {OptimizerRule::adam, "adam", {"first_moment", "second_moment"}},
};

// The table has the rules in the order of the enumeration.
constexpr const OptimizerEntry& optimizer_entry(OptimizerRule rule) {
  return optimizer_table[static_cast<std::size_t>(rule)];
}
static_assert([] {
  for (std::size_t i = 0; i < std::size(optimizer_table); ++i)
    if (optimizer_table[i].rule != static_cast<OptimizerRule>(i)) return false;
  return true;
}());

constexpr int slot_count(OptimizerRule rule) {
  int count = 0;
  for (const std::string_view name : optimizer_entry(rule).slot_names) count += name.empty() ? 0 : 1;
  return count;
}

// The same as a constant, for kernels.
template <OptimizerRule Rule>
inline constexpr int slots_of = slot_count(Rule);

inline Words<OptimizerRule> optimizer_words() {
  Words<OptimizerRule> words;
  for (const OptimizerEntry& entry : optimizer_table) words.emplace_back(entry.word, entry.rule);
  return words;
}

// Calls call(std::integral_constant<OptimizerRule, rule>()) for the rule of the table that equals `rule`.
template <std::size_t Index = 0, typename Call>
constexpr decltype(auto) for_rule(OptimizerRule rule, Call&& call) {
  constexpr OptimizerRule mine = static_cast<OptimizerRule>(Index);
  if constexpr (Index + 1 < std::size(optimizer_table)) {
    if (rule != mine) return for_rule<Index + 1>(rule, call);
  }
  return call(std::integral_constant<OptimizerRule, mine>());
}

struct OptimizerSettings {
  OptimizerRule rule = OptimizerRule::sgd;
  float momentum = 0.9F;
  float beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F;
};

struct TensorRate {
  float rate = 0, decay = 0;
};

struct UpdateStep {
  std::int64_t number = 1;            // 1 for the first update, those that were skipped counted too
  float inverse_loss_scale = 1;       // multiplied into the gradients first
  std::span<const TensorRate> rates;  // one per parameter, in table order
};

struct UpdateResult {
  bool finite = true;         // false: nothing was changed
  bool weights_sound = true;  // false: the update before this one produced unusable weights
  double gradient_norm = 0;   // of the reduced, unscaled gradient
};

}  // namespace convoy
