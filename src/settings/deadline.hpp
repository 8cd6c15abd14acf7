// The value of --deadline as text. Used by the option's notation.
#pragma once

#include <string_view>

#include "settings/train_configuration.hpp"

namespace convoy {

// "none", "auto", a duration ("2h30m", "90s", "1d"), or a local time ("2026-12-01T08:00", with seconds if
// need be; with a Z behind it, of UTC). Throws ExitCode::usage with what would be accepted.
Deadline parse_deadline(std::string_view text);

}  // namespace convoy
