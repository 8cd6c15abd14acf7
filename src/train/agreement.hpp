// Ranks agree before they work: texts that must be the same everywhere, and the hash of each replica's
// parameters. A difference is named, never trained with. Used at the start of a run, at the ends of epochs
// and before checkpoints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "engine/engine.hpp"

namespace convoy {

// Compares `mine` with rank 0's by hash; collective. On a difference throws `category` on every rank, naming
// what differs, the rank and the first line that differs.
void require_same_text(Communicator& communicator, const std::string& what, const std::string& mine,
                       ExitCode category);

// XXH3-64 of each parameter tensor's float32 values, in table order.
std::vector<std::uint64_t> parameter_hashes(const Replica& replica);

// Compares all replicas' parameters; collective. On a difference throws ExitCode::device on every rank,
// naming the step, the first tensor that differs in network order and the ranks.
void require_same_parameters(Communicator& communicator, const Replica& replica, std::int64_t step);

// The same for hashes already taken, one of `names` for each.
void require_same_hashes(Communicator& communicator, const std::vector<std::string>& names,
                         const std::vector<std::uint64_t>& hashes, std::int64_t step);

// Whether training can continue from all parameters (is_sound). Replicas being equal, all
// ranks find the same.
bool has_sound_parameters(const Replica& replica);

// Versions of everything whose arithmetic or transport ranks that compute on `device` must share: pairs such
// as ("mpi", "Open MPI …").
std::vector<std::pair<std::string, std::string>> library_versions(const Communicator& communicator,
                                                                  DeviceKind device);

}  // namespace convoy
