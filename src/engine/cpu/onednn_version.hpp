// Version of the oneDNN library in use, for run.json and `convoy doctor`.
#pragma once

#include <string>

namespace convoy {

std::string onednn_version();  // "2.6.3 (OpenMP)"

}  // namespace convoy
