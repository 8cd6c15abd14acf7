// Gathers a value of any type that base/message.hpp supports. For .cpp files of the folders above.
#pragma once

#include <vector>

#include "base/message.hpp"
#include "comm/communicator.hpp"

namespace convoy {

// Every rank's value, by rank, on every rank; collective.
template <typename Value>
std::vector<Value> gather(Communicator& communicator, const Value& mine) {
  std::vector<Value> values;
  for (const std::string& text : communicator.gather_texts(to_message(mine)))
    values.push_back(from_message<Value>(text));
  return values;
}

}  // namespace convoy
