#include "data/hdf5_version.hpp"

#include <fmt/format.h>
#include <hdf5.h>

namespace convoy {

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);  // needs no lock: it reads constants
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace convoy
