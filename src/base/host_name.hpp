// The name of the machine that a process runs on, for messages and records that distinguish ranks.
#pragma once

#include <string>

namespace convoy {

// The result of gethostname; "unknown" if it fails.
std::string host_name();

}  // namespace convoy
