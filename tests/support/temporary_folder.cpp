#include "support/temporary_folder.hpp"

#include <cstdlib>
#include <stdexcept>

namespace convoy::test {

TemporaryFolder::TemporaryFolder() {
  const std::string unique(6, 'X');  // mkdtemp replaces these letters
  std::string name = (std::filesystem::temp_directory_path() / ("convoy-test-" + unique)).string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

}  // namespace convoy::test
