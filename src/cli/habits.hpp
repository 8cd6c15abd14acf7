// What options of other programs (PyTorch's examples, Caffe) are called here. Used by the option table when
// an option is unknown.
#pragma once

#include <string>
#include <string_view>

namespace convoy {

// What to use instead of an option of PyTorch's or Caffe's programs, as a sentence; empty when `option`
// (without dashes and value) is none of theirs.
std::string habit_advice(std::string_view option);

}  // namespace convoy
