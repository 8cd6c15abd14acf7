// A picture as a JPEG file, for pages in which photographs have to be small. Used by the report.
#pragma once

#include <string>

#include "picture/picture.hpp"

namespace convoy {

// The bytes of a JPEG file; `quality`: 1 … 100. Throws ExitCode::bug for an empty picture.
std::string jpeg_bytes(const Picture& picture, int quality);

}  // namespace convoy
