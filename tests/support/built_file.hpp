// Files of the build that a test uses: the program, stand-ins for libraries, figures. Tests that run away
// from the build (cluster/bundle --tests) find them by name in the folder that CONVOY_TEST_FILES names.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace convoy::test {

inline std::string built_file(const std::filesystem::path& in_the_build) {
  const char* folder = std::getenv("CONVOY_TEST_FILES");
  if (folder == nullptr || *folder == '\0') return in_the_build.string();
  return (std::filesystem::path(folder) / in_the_build.filename()).string();
}

}  // namespace convoy::test
