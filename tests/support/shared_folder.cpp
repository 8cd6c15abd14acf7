#include "support/shared_folder.hpp"

namespace convoy::test {

SharedFolder::SharedFolder(Communicator& communicator) : communicator_(communicator) {
  if (communicator.rank() == 0) owned_ = std::make_unique<TemporaryFolder>();
  path_ = communicator.broadcast_text(owned_ ? owned_->path().string() : "");
}

SharedFolder::~SharedFolder() {
  communicator_.barrier();  // nobody reads any more
}

}  // namespace convoy::test
