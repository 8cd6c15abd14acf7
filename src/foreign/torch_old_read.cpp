// A file of torch.save before version 1.6: pickles of a magic number, the format's version, facts about the
// machine, the object, and the keys of the storages; then each storage as the number of its numbers (8 bytes)
// and the numbers.

#include <array>
#include <fstream>
#include <map>
#include <string>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "foreign/foreign_error.hpp"
#include "foreign/torch_file.hpp"
#include "foreign/torch_state_dict.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr std::int64_t known_version = 1001;

// The pickle of the magic number ends with its ten bytes and STOP; before them stand a protocol and perhaps a
// frame. Returns the position behind it; 0 if the file does not begin so.
std::uint64_t end_of_magic(const fs::path& path) {
  constexpr std::string_view magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv;
  std::array<std::byte, 32> start{};
  const std::size_t count = open_regular_file(path).read_at(0, start);
  const std::string_view text(reinterpret_cast<const char*>(start.data()), count);
  const std::size_t at = text.find(magic);
  return at == text.npos || !text.starts_with('\x80') ? 0 : at + magic.size();
}

class OldFile {
 public:
  explicit OldFile(const fs::path& path)
      : file_(open_regular_file(path)), stream_(path, std::ios::binary), bytes_(file_.size()) {
    stream_.seekg(static_cast<std::streamoff>(end_of_magic(path)));
  }

  std::vector<NamedTensor> read() {
    const Pickle version = next_pickle();
    if (version[version.root].integer != known_version)
      fail(ExitCode::bad_data, "its format has version {}, only {} can be read",
           version[version.root].integer, known_version);
    const Pickle machine = next_pickle();
    const PickleValue* order = machine.find(machine[machine.root], "little_endian");
    if (order == nullptr || order->integer != 1)
      fail(ExitCode::bad_data, "its numbers are not little-endian, which alone can be read");
    const TorchStateDict state = torch_state_dict(next_pickle(), bytes_);
    TorchTensors tensors(state);
    read_storages(state, next_pickle(), tensors);
    return tensors.take();
  }

 private:
  Pickle next_pickle() {
    constexpr std::uint64_t longest = 64 << 20;
    return read_pickle(stream_, std::min(longest, bytes_ - static_cast<std::uint64_t>(stream_.tellg())),
                       torch_global);
  }

  void read_storages(const TorchStateDict& state, const Pickle& keys, TorchTensors& tensors) {
    std::map<std::string, std::size_t> by_key;
    for (std::size_t i = 0; i < state.storages.size(); ++i) by_key.emplace(state.storages[i].key, i);
    auto position = static_cast<std::uint64_t>(stream_.tellg());
    for (const PickleId id : keys[keys.root].parts) {
      const auto found = by_key.find(keys[id].text);
      if (found == by_key.end())
        fail(ExitCode::bad_data, "it holds a storage {} that its pickle does not mention",
             readable(keys[id].text));
      const TorchStorage& storage = state.storages[found->second];
      std::uint64_t numbers = 0;
      check_room(position, sizeof(numbers), storage);
      file_.read_exactly(position, std::as_writable_bytes(std::span(&numbers, 1)));
      if (numbers != storage.numbers)
        fail(ExitCode::bad_data, "storage {} has {} numbers instead of {}", readable(storage.key), numbers,
             storage.numbers);
      position += sizeof(numbers);
      check_room(position, storage.bytes(), storage);
      if (storage.needed) {
        std::vector<std::byte> bytes(storage.bytes());
        file_.read_exactly(position, bytes);
        tensors.add_storage(found->second, bytes);
      }
      position += storage.bytes();
    }
  }

  void check_room(std::uint64_t position, std::uint64_t wanted, const TorchStorage& storage) const {
    if (position > bytes_ || bytes_ - position < wanted)
      fail(ExitCode::bad_data, "it is truncated in storage {}: download or copy it again",
           readable(storage.key));
  }

  FileDescriptor file_;
  std::ifstream stream_;
  std::uint64_t bytes_;
};

}  // namespace

bool is_old_torch_file(const fs::path& path) {
  return end_of_magic(path) > 0;
}

std::vector<NamedTensor> read_old_torch_file(const fs::path& path) {
  return naming_file(path, [&] { return OldFile(path).read(); });
}

}  // namespace convoy
