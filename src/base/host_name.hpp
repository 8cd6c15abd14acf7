// The name of the machine a process runs on, for messages and records that tell ranks apart.
#pragma once

#include <string>

namespace convoy {

// As gethostname tells it; "unknown" when it does not.
std::string host_name();

}  // namespace convoy
