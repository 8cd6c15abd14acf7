// Initial weights, computed on the host as a pure function of (seed, parameter, element). Used at the start
// of training.
#pragma once

#include <cstdint>
#include <span>

#include "model/net_spec.hpp"
#include "model/parameter_table.hpp"

namespace convoy {

// Fills one tensor (canonical order) by the scheme: the table "Initial weights" in the README. Element e
// takes word e % 4 of weight_block(seed, parameter.ordinal, e / 4): a uniform value is b · (2 ·
// open_unit_double(word) − 1); normal values come in pairs: words (0, 1) give elements 4k and 4k + 1, words
// (2, 3) give 4k + 2 and 4k + 3 (normal_pair's first and second). Layer names (conv2, conv4, conv5, fc6, fc7)
// determine which layers get a positive bias.
void initialise_parameter(const Parameter& parameter, Initialiser scheme, std::uint64_t seed,
                          std::span<float> values);

// Fills a whole flat buffer of table.size() elements; gaps become zero.
void initialise_parameters(const ParameterTable& table, Initialiser scheme, std::uint64_t seed,
                           std::span<float> flat);

}  // namespace convoy
