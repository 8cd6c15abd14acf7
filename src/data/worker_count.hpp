// How many threads a rank uses when nobody says: its share of the cores it may run on. Used by pack and
// synthesize.
#pragma once

#include "comm/communicator.hpp"

namespace convoy {

// `requested` when it is positive. Otherwise the cores this process is allowed, divided by the ranks of this
// host that are allowed the same ones (bound ranks have their own, unbound ranks share all). At least 1.
// Collective.
int worker_count(int requested, Communicator& communicator);

}  // namespace convoy
