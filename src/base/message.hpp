// Values as texts that ranks send each other by Communicator: MessagePack, so that numbers keep every bit
// (NaN and infinity too) and texts every byte. A type travels once it has to_json and from_json in its
// namespace (NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE writes both). For .cpp files only, since json.hpp is slow to
// compile.
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

// Throws nlohmann::json::exception for a text that is no such value: a bug, as all ranks run one program.
template <typename Value>
Value from_message(const std::string& text) {
  return nlohmann::json::from_msgpack(text).get<Value>();
}

}  // namespace convoy
