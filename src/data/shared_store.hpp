// Opens a store on all ranks, although only rank 0 reads its description for all. Used by training,
// evaluation and verify.
#pragma once

#include <string>

#include "comm/communicator.hpp"
#include "data/store.hpp"

namespace convoy {

// store.json read by rank 0 and broadcast; collective. Throws like read_store_text and parse_store, on every
// rank, and ExitCode::bad_data if another node has a store.json of another store at this path.
Store open_store(const std::string& folder, Communicator& communicator);

}  // namespace convoy
