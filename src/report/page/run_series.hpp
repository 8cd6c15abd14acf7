// A run's curves as JSON: for each chart its steps and values, thinned where the run is long. For
// page_data.cpp alone, since json.hpp is slow to compile.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>

#include "report/page/run_metrics.hpp"

namespace convoy {

// {"loss": {"step": […], "loss": […]}, "rate": …, "speed": …, "phases": {"step", "input", …}, "ranks": …}; a
// group without a number is left out.
nlohmann::ordered_json step_series(const Columns& steps, std::size_t columns);

// {"step": […], "epoch", "samples", "loss", "top1", "top5"}.
nlohmann::ordered_json validation_series(const Columns& validations, std::size_t columns);

// A value for JSON: whole numbers without a fraction, null for NaN and infinity.
nlohmann::ordered_json json_number(double value);

}  // namespace convoy
