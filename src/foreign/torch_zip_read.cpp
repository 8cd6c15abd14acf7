#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <string>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "foreign/foreign_error.hpp"
#include "foreign/torch_file.hpp"
#include "foreign/torch_state_dict.hpp"
#include "foreign/zip_reader.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

// A pickle names tensors; their numbers are elsewhere.
constexpr std::uint64_t longest_pickle = 64 << 20;

// The entries that are no storages. Their names begin with the same folder ("archive/").
struct Description {
  std::string folder, pickle, byte_order = "little";
};

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Description read_description(const fs::path& path) {
  constexpr std::string_view pickle_name = "data.pkl", order_name = "byteorder";
  constexpr std::uint64_t longest_word = 64;
  Description description;
  bool found = false;
  for (ZipReader zip(path); zip.next();) {
    const std::size_t slash = zip.name().find('/');
    if (slash == std::string::npos) continue;
    const std::string_view name = std::string_view(zip.name()).substr(slash + 1);
    if (name == pickle_name) {
      if (found) fail(ExitCode::bad_data, "it has two entries named {}", pickle_name);
      found = true;
      description.folder = zip.name().substr(0, slash + 1);
      description.pickle = text_of(zip.read(longest_pickle));
    } else if (name == order_name) {
      description.byte_order = text_of(zip.read(longest_word));
    }
  }
  if (!found) fail(ExitCode::bad_data, "it is a zip, but not one of torch.save: it has no data.pkl");
  if (description.byte_order != "little")
    fail(ExitCode::bad_data, "its numbers have the byte order '{}', only little can be read",
         readable(description.byte_order));
  return description;
}

TorchStateDict state_dict_of(const Description& description, std::uint64_t file_bytes) {
  // torch.save compresses nothing; of a file packed again the numbers became hardly smaller.
  constexpr std::uint64_t largest_ratio = 16, always = 16 << 20;
  std::istringstream stream(description.pickle);
  const Pickle pickle = read_pickle(stream, description.pickle.size(), torch_global);
  return torch_state_dict(pickle, always + largest_ratio * file_bytes);
}

std::vector<NamedTensor> read(const fs::path& path) {
  const Description description = read_description(path);
  const TorchStateDict state = state_dict_of(description, fs::file_size(path));
  TorchTensors tensors(state);
  std::map<std::string, std::size_t> entries;
  for (std::size_t i = 0; i < state.storages.size(); ++i)
    if (state.storages[i].needed) entries.emplace(description.folder + "data/" + state.storages[i].key, i);
  for (ZipReader zip(path); zip.next();) {
    const auto entry = entries.find(zip.name());
    if (entry == entries.end()) continue;
    const std::uint64_t expected = state.storages[entry->second].bytes();
    const std::vector<std::byte> bytes = zip.read(expected);
    if (bytes.size() != expected)
      fail(ExitCode::bad_data, "{} has {} bytes instead of {}", readable(zip.name()), bytes.size(), expected);
    tensors.add_storage(entry->second, bytes);
  }
  return tensors.take();
}

}  // namespace

bool is_torch_zip(const fs::path& path) {
  std::array<std::byte, 4> start{};
  const std::size_t count = open_regular_file(path).read_at(0, start);
  return count == start.size() &&
         std::string_view(reinterpret_cast<const char*>(start.data()), count) == "PK\3\4";
}

std::vector<NamedTensor> read_torch_zip(const fs::path& path) {
  return naming_file(path, [&] { return read(path); });
}

}  // namespace convoy
