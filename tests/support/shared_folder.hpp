// A folder for a test on several ranks.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "comm/communicator.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {

// One folder for all ranks: made by rank 0, removed when the last test object goes; collective.
class SharedFolder {
 public:
  explicit SharedFolder(Communicator& communicator);
  ~SharedFolder();
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  Communicator& communicator_;
  std::unique_ptr<TemporaryFolder> owned_;
  std::filesystem::path path_;
};

}  // namespace convoy::test
