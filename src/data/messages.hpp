// Serialisation of this folder's types for messages between ranks (base/message.hpp). For .cpp files of this
// folder and of those above.
#pragma once

#include "base/message.hpp"
#include "data/batch.hpp"
#include "data/store.hpp"

namespace convoy {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ClassEntry, id, name)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(InputSpec, stored_side, crop_side, mean, scale)

}  // namespace convoy
