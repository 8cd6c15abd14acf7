// The page about a scaling benchmark, as Markdown. For benchmark_scaling_page.
#pragma once

#include <string>

#include "results.hpp"

namespace convoy::scaling {

std::string page_text(const Results& results);

}  // namespace convoy::scaling
