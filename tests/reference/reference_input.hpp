// The engines' first operation in double precision: crop, mirror, warp, mean, colour and scale.
#pragma once

#include "data/batch.hpp"
#include "reference/reference_layers.hpp"

namespace convoy::test {

// The network's input for the batch: rows × 3 × crop × crop.
Tensor reference_input(const InputSpec& spec, const BatchView& batch);

}  // namespace convoy::test
