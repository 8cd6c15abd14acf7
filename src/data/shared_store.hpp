// A store that all ranks open, though only rank 0 reads its description. Used by training and evaluation.
#pragma once

#include <string>

#include "comm/communicator.hpp"
#include "data/store.hpp"

namespace convoy {

// store.json read by rank 0 and broadcast; collective. Throws as read_store_text and parse_store do, on every
// rank.
Store open_store(const std::string& folder, Communicator& communicator);

}  // namespace convoy
