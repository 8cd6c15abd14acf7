// Builds the bytes of other programs' files for the tests of this folder, piece by piece and independent of
// the code under test: pickles opcode by opcode, zips field by field, both able to lie.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace convoy::test {

// `size` bytes of a little-endian number; those beyond the eighth are zero.
std::string little_endian(std::uint64_t value, int size);

// The bytes of numbers in memory.
template <typename Number>
std::string bytes_of_numbers(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

void write_bytes(const std::filesystem::path& path, std::string_view bytes);

namespace pickle {

using Extents = std::vector<std::int64_t>;
using Items = std::vector<std::pair<std::string, std::string>>;  // name, the pickle of its value

std::string text(std::string_view content);                          // BINUNICODE
std::string integer(std::int64_t value);                             // LONG1
std::string global(std::string_view module, std::string_view name);  // GLOBAL
std::string tuple(const std::vector<std::string>& values);           // MARK … TUPLE
std::string extents(const Extents& values);
std::string call(std::string_view module, std::string_view name, const std::string& arguments);  // REDUCE
std::string ordered_dict(const Items& items);
std::string dict(const Items& items);
std::string storage(std::string_view key, std::int64_t numbers, std::string_view type = "FloatStorage");
std::string tensor(const std::string& storage, std::int64_t offset, const Extents& shape,
                   const Extents& strides);
// PROTO 2, the value, STOP.
std::string whole(const std::string& value);

}  // namespace pickle

struct ZipPart {
  std::string name, content;
  bool deflated = false;
  bool descriptor = false;             // sizes and CRC follow the bytes, as in PyTorch's files
  std::optional<std::uint32_t> crc32;  // instead of the true one
  std::optional<std::uint32_t> bytes;  // size when unpacked, instead of the true one
};
std::string zip(const std::vector<ZipPart>& parts);

// A file of torch.save: `value` is the pickle of what was saved, `storages` are keys and bytes.
std::string torch_zip(const std::string& value, const pickle::Items& storages);
struct OldStorage {
  std::string key;
  std::uint64_t numbers = 0;
  std::string bytes;
};
std::string old_torch_file(const std::string& value, const std::vector<OldStorage>& storages);

// A file of torch.save before version 0.2: a tar of these members.
struct TarPart {
  std::string name, content;
};
std::string tar(const std::vector<TarPart>& parts);

}  // namespace convoy::test
