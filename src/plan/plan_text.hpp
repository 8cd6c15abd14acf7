// A plan as text: sections of Markdown tables that are read on a terminal. Used by `convoy plan`.
#pragma once

#include <string>

#include "plan/run_plan.hpp"

namespace convoy {

std::string plan_to_text(const PlanRequest& request, const RunPlan& plan);

// For programs: {"format": "convoy-plan", "version": 1, …}; seconds and bytes.
std::string plan_to_json(const PlanRequest& request, const RunPlan& plan);

}  // namespace convoy
