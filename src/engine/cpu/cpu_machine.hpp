// What the speed of the CPU engine's alternatives depends on beside their shapes. Used by engine/engine.cpp
// to keep measured answers apart.
#pragma once

#include <string>

namespace convoy::cpu {

// The CPU's name, the instructions that oneDNN uses on it, its version, and `threads`.
std::string cpu_machine_text(int threads);

}  // namespace convoy::cpu
