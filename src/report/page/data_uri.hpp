// Pictures as parts of a page: "data:image/png;base64,…".
#pragma once

#include <string>
#include <string_view>

namespace convoy {

std::string data_uri(std::string_view media_type, std::string_view bytes);

}  // namespace convoy
