// The part of a run's data that comes from its predictions, its store and its checkpoint. For page_data.cpp
// alone, since json.hpp is slow to compile.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "report/page/page_data.hpp"

namespace convoy {

// Adds "classes", "predictions" and "filters" to `json` as far as the run's folder and the store permit; what
// is missing becomes a remark. `run`: run.json, or null.
void add_pictures(const RunSource& source, const nlohmann::ordered_json& run, nlohmann::ordered_json& json,
                  std::vector<std::string>& remarks);

}  // namespace convoy
