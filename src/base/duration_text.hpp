// Durations for people: "42s", "3m05s", "2h07m", "3d04h". Used by progress displays.
#pragma once

#include <string>

namespace convoy {

std::string duration_text(double seconds);  // "?" for what cannot be known

}  // namespace convoy
