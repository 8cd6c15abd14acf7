#include "data/shared_store.hpp"

#include <filesystem>
#include <vector>

#include "base/host_name.hpp"

namespace convoy {
namespace {

// What is wrong with the store that this node has at the path of rank 0's; empty if nothing is, or if the
// node has shards alone.
std::string difference_from(const Store& store, const std::string& folder, int rank) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::path(folder) / "store.json", error)) return {};
  try {
    const Store here = parse_store(read_store_text(folder), folder);
    if (here.fingerprint == store.fingerprint) return {};
    return fmt::format(
        "{}: rank {} on {} has another store there (fingerprint {}) than rank 0 (fingerprint {}): copy the "
        "same "
        "store to every node",
        folder, rank, host_name(), here.fingerprint, store.fingerprint);
  } catch (const Error& failure) {
    return fmt::format("rank {} on {}: {}", rank, host_name(), failure.what());
  }
}

// Shards are read by every rank itself. One rank of each node compares what its node has.
void require_same_store(const Store& store, const std::string& folder, Communicator& communicator) {
  if (communicator.nodes() == 1) return;
  const bool looks = communicator.local_rank() == 0 && communicator.rank() != 0;
  const std::string mine = looks ? difference_from(store, folder, communicator.rank()) : std::string();
  for (const std::string& difference : communicator.gather_texts(mine))
    if (!difference.empty()) fail(ExitCode::bad_data, "{}", difference);
}

}  // namespace

Store open_store(const std::string& folder, Communicator& communicator) {
  const std::string text = communicator.on_rank_zero([&] { return read_store_text(folder); });
  Store store = parse_store(text, folder);
  require_same_store(store, folder, communicator);
  return store;
}

}  // namespace convoy
