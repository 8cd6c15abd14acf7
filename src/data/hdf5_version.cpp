#include "data/hdf5_version.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include "data/hdf5_state.hpp"

namespace convoy {

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  const hdf5::Session session;  // this may be the library's first call
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace convoy
