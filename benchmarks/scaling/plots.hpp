// The two plots of a scaling benchmark. For benchmark_scaling_page.
#pragma once

#include "figure.hpp"
#include "results.hpp"

namespace convoy::scaling {

// For each network: images/s by number of ranks on logarithmic axes, beside the ideal from the smallest
// point; and the efficiency.
Figure throughput_plot(const Results& results);

// For each network and series: a bar for each number of ranks, in parts by phase of a step, with a stroke
// where the whole step ends.
Figure step_plot(const Results& results);

}  // namespace convoy::scaling
