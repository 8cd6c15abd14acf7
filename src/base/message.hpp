// Converts values to texts that ranks send each other by Communicator: MessagePack, so that numbers keep
// every bit (including NaN and infinity) and texts every byte. A type can be sent if its namespace has
// to_json and from_json for it (NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE defines both). For .cpp files only, since
// json.hpp is slow to compile.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace convoy {

template <typename Value>
std::string to_message(const Value& value) {
  std::string text;
  nlohmann::json::to_msgpack(nlohmann::json(value), text);
  return text;
}

// Throws nlohmann::json::exception if the text is not such a value: a bug, since all ranks run the same
// program.
template <typename Value>
Value from_message(const std::string& text) {
  return nlohmann::json::from_msgpack(text).get<Value>();
}

}  // namespace convoy
