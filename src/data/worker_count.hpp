// The default number of threads of a rank: its share of the cores that it may use. Used by pack and
// synthesize.
#pragma once

#include "comm/communicator.hpp"

namespace convoy {

// Returns `requested` if it is positive. Otherwise the cores that this process may use, divided by the ranks
// of this host that may use the same ones (bound ranks have their own, unbound ranks share all). At least 1.
// Collective.
int worker_count(int requested, Communicator& communicator);

}  // namespace convoy
