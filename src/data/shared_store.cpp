#include "data/shared_store.hpp"

namespace convoy {

Store open_store(const std::string& folder, Communicator& communicator) {
  const std::string text = communicator.on_rank_zero([&] { return read_store_text(folder); });
  return parse_store(text, folder);
}

}  // namespace convoy
