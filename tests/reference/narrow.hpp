// Narrow versions of networks: the same layers, kernels, strides, paddings and groups with fewer channels, so
// that the reference runs them in milliseconds.
#pragma once

#include "model/net_spec.hpp"

namespace convoy::test {

// Divides the filters of every convolution and the outputs of every fully connected layer but the last by
// `divisor` (kept a multiple of the groups that read and write them), and gives the last `classes` outputs.
NetSpec narrow(NetSpec spec, int divisor, int classes);

}  // namespace convoy::test
