// The optimisers, one entry each: the word of the option, the names of its slots in a checkpoint, what it
// takes from OptimizerSettings and its formula for one element. Options, checkpoints, the update loops of
// both engines, benchmarks and tests ask here, so nothing else needs to know which optimisers there are.
//
// To add one: an entry, its type in OptimizerEntries, its name in OptimizerRule, a phrase in the help of
// --optimizer (settings/train_options.cpp).
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "base/host_device.hpp"
#include "base/words.hpp"
#include "engine/update.hpp"
#include "engine/update_arithmetic.hpp"

namespace convoy {

// Settings that not every optimiser takes; options are checked and written down only where they count.
enum class OptimizerSetting { momentum, betas, epsilon };

// In the formulas w is the weight, g the reduced gradient, already multiplied by 1 / loss scale, ε the rate
// and λ the decay of its tensor. A slot is a flat buffer beside the parameters, zero at first; `update` takes
// the element's value of each, in the order of `slots`.

// PyTorch's torch.optim.SGD (dampening 0, no Nesterov): v ← μ v + g + λ w; w ← w − ε v.
struct Sgd {
  static constexpr std::string_view word = "sgd";
  static constexpr std::array<std::string_view, 1> slots = {"velocity"};
  static constexpr std::array<OptimizerSetting, 1> settings = {OptimizerSetting::momentum};
  static constexpr bool corrects_bias = false;  // depends on the number of updates (correct_bias)

  CONVOY_HOST_DEVICE static void update(const UpdateConstants& c, float gradient, float& weight,
                                        float& velocity) {
    const float g = gradient * c.inverse_loss_scale + c.decay * weight;
    velocity = settled(c.momentum * velocity + g);
    weight = weight - c.rate * velocity;
  }
};

// Krizhevsky, Sutskever, Hinton 2012, section 5, and Caffe's SGDSolver: v ← μ v − ε λ w − ε g; w ← w + v.
struct SgdCaffe {
  static constexpr std::string_view word = "sgd-caffe";
  static constexpr std::array<std::string_view, 1> slots = {"velocity"};
  static constexpr std::array<OptimizerSetting, 1> settings = {OptimizerSetting::momentum};
  static constexpr bool corrects_bias = false;

  CONVOY_HOST_DEVICE static void update(const UpdateConstants& c, float gradient, float& weight,
                                        float& velocity) {
    const float g = gradient * c.inverse_loss_scale;
    velocity = settled(c.momentum * velocity - c.rate * c.decay * weight - c.rate * g);
    weight = weight + velocity;
  }
};

// Kingma and Ba 2015, algorithm 1, with decay added to the gradient (torch.optim.Adam): ε is added to √v̂.
// The slots are the uncorrected moments.
struct Adam {
  static constexpr std::string_view word = "adam";
  static constexpr std::array<std::string_view, 2> slots = {"first_moment", "second_moment"};
  static constexpr std::array<OptimizerSetting, 2> settings = {OptimizerSetting::betas,
                                                               OptimizerSetting::epsilon};
  static constexpr bool corrects_bias = true;

  CONVOY_HOST_DEVICE static void update(const UpdateConstants& c, float gradient, float& weight, float& first,
                                        float& second) {
    const float g = gradient * c.inverse_loss_scale + c.decay * weight;
    first = settled(c.beta1 * first + (1.0F - c.beta1) * g);
    second = settled(c.beta2 * second + (1.0F - c.beta2) * g * g);
    weight = weight - c.adam_rate * first / (std::sqrt(second) * c.second_correction + c.epsilon);
  }
};

using OptimizerEntries = std::tuple<Sgd, SgdCaffe, Adam>;

inline constexpr std::size_t optimizer_count = std::tuple_size_v<OptimizerEntries>;

// The number of an entry in OptimizerEntries; of a type that is not there it does not compile.
template <typename Entry, std::size_t Number = 0>
consteval std::size_t optimizer_number() {
  static_assert(Number < optimizer_count, "the optimiser is missing in OptimizerEntries");
  if constexpr (std::is_same_v<Entry, std::tuple_element_t<Number, OptimizerEntries>>) {
    return Number;
  } else {
    return optimizer_number<Entry, Number + 1>();
  }
}

enum class OptimizerRule : std::size_t {
  sgd = optimizer_number<Sgd>(),
  sgd_caffe = optimizer_number<SgdCaffe>(),
  adam = optimizer_number<Adam>()
};

// What `use` returns for the entry of `rule`, passed as a value that conveys the type. Throws
// std::logic_error for a number that no entry has (nvcc does not take base/error.hpp).
template <std::size_t Number = 0, typename Use>
constexpr decltype(auto) with_optimizer(OptimizerRule rule, const Use& use) {
  if constexpr (Number + 1 < optimizer_count) {
    if (static_cast<std::size_t>(rule) != Number) return with_optimizer<Number + 1>(rule, use);
  } else {
    if (static_cast<std::size_t>(rule) != Number) throw std::logic_error("no such optimiser");
  }
  return use(std::tuple_element_t<Number, OptimizerEntries>{});
}

inline constexpr std::array<OptimizerRule, optimizer_count> optimizer_rules = [] {
  std::array<OptimizerRule, optimizer_count> rules{};
  for (std::size_t i = 0; i < optimizer_count; ++i) rules[i] = static_cast<OptimizerRule>(i);
  return rules;
}();

constexpr std::string_view optimizer_word(OptimizerRule rule) {
  return with_optimizer(rule, [](auto entry) { return decltype(entry)::word; });
}

static_assert(
    [] {
      for (std::size_t i = 0; i < optimizer_count; ++i)
        for (std::size_t j = 0; j < i; ++j)
          if (optimizer_word(optimizer_rules[i]) == optimizer_word(optimizer_rules[j])) return false;
      return true;
    }(),
    "every optimiser has a word of its own");

constexpr std::span<const std::string_view> slot_names(OptimizerRule rule) {
  return with_optimizer(rule,
                        [](auto entry) { return std::span<const std::string_view>(decltype(entry)::slots); });
}

constexpr int slot_count(OptimizerRule rule) {
  return static_cast<int>(slot_names(rule).size());
}

// Of any optimiser.
inline constexpr int most_slots = [] {
  int most = 0;
  for (const OptimizerRule rule : optimizer_rules) most = slot_count(rule) > most ? slot_count(rule) : most;
  return most;
}();

constexpr bool takes(OptimizerRule rule, OptimizerSetting wanted) {
  return with_optimizer(rule, [&](auto entry) {
    bool found = false;
    for (const OptimizerSetting setting : decltype(entry)::settings) found = found || setting == wanted;
    return found;
  });
}

inline Words<OptimizerRule> optimizer_words() {
  Words<OptimizerRule> words;
  for (const OptimizerRule rule : optimizer_rules) words.emplace_back(optimizer_word(rule), rule);
  return words;
}

// The number of an entry's slots, for kernels too.
template <typename Entry>
inline constexpr std::size_t slots_of = Entry::slots.size();

// 0, 1, … for each slot of an entry, to be expanded in a call of its `update`.
template <typename Entry>
using SlotNumbers = std::make_index_sequence<slots_of<Entry>>;

struct OptimizerSettings {
  OptimizerRule rule = OptimizerRule::sgd;
  float momentum = 0.9F;
  float beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F;
};

inline UpdateConstants update_constants(const OptimizerSettings& settings, const UpdateStep& step,
                                        const TensorRate& tensor) {
  UpdateConstants constants;
  constants.rate = tensor.rate;
  constants.decay = tensor.decay;
  constants.inverse_loss_scale = step.inverse_loss_scale;
  constants.momentum = settings.momentum;
  constants.beta1 = settings.beta1;
  constants.beta2 = settings.beta2;
  constants.epsilon = settings.epsilon;
  const double number = static_cast<double>(step.number);
  correct_bias(constants, std::pow(double{settings.beta1}, number), std::pow(double{settings.beta2}, number));
  return constants;
}

}  // namespace convoy
