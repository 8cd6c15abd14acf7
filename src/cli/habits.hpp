// Convoy's names for options of other programs (PyTorch's examples, Caffe). Used by the option table for
// unknown options.
#pragma once

#include <string>
#include <string_view>

namespace convoy {

// The alternative to an option of PyTorch's or Caffe's programs, as a sentence; empty if `option` (without
// dashes and value) is not one of theirs.
std::string habit_advice(std::string_view option);

}  // namespace convoy
