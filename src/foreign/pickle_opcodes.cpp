#include "foreign/pickle_opcodes.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace convoy::pickle_opcodes {

std::string name_of(unsigned char opcode) {
  constexpr std::array<std::pair<unsigned char, const char*>, 26> others{{
      {'I', "INT"},
      {'L', "LONG"},
      {'F', "FLOAT"},
      {'S', "STRING"},
      {'V', "UNICODE"},
      {'P', "PERSID"},
      {'g', "GET"},
      {'p', "PUT"},
      {'d', "DICT"},
      {'l', "LIST"},
      {'i', "INST"},
      {'o', "OBJ"},
      {'0', "POP"},
      {'1', "POP_MARK"},
      {'2', "DUP"},
      {0x82, "EXT1"},
      {0x83, "EXT2"},
      {0x84, "EXT4"},
      {0x8F, "EMPTY_SET"},
      {0x90, "ADDITEMS"},
      {0x91, "FROZENSET"},
      {0x92, "NEWOBJ_EX"},
      {0x96, "BYTEARRAY8"},
      {0x97, "NEXT_BUFFER"},
      {0x98, "READONLY_BUFFER"},
      {proto, "PROTO"},
  }};
  for (const auto& [value, name] : others) {
    if (value != opcode) continue;
    return opcode > ' ' && opcode < 0x7F ? fmt::format("{} ('{}')", name, static_cast<char>(opcode)) : name;
  }
  return fmt::format("0x{:02X}", opcode);
}

}  // namespace convoy::pickle_opcodes
