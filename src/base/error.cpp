#include "base/error.hpp"

#include <system_error>

namespace convoy {

std::string system_error_text(int number) {
  return std::generic_category().message(number);
}

}  // namespace convoy
