// Which build of the program this is. Ranks compare it: two builds of one version may compute differently.
#pragma once

#include <string>

namespace convoy {

// The identifier that the linker wrote into the program (`file convoy` shows it), a hash of its contents, in
// hexadecimal digits; empty if the linker writes none.
std::string build_identity();

}  // namespace convoy
