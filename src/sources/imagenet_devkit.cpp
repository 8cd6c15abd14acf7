#include "sources/imagenet_devkit.hpp"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <fstream>
#include <limits>
#include <optional>
#include <variant>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/text_file.hpp"
#include "sources/matlab_file.hpp"
#include "sources/tar_file.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view meta_file = "meta.mat", truth_file = "ILSVRC2012_validation_ground_truth.txt";

// The field of element `i`, counted from 0; an error if it is absent or of another kind.
template <typename Value>
const Value& field(const MatlabRecord& synset, const char* name, std::size_t i) {
  const auto found = synset.find(name);
  const auto* value = found == synset.end() ? nullptr : std::get_if<Value>(&found->second);
  if (value == nullptr)
    fail(ExitCode::bad_data, "{}: synsets({}) has no {} that is {}", meta_file, i + 1, name,
         std::same_as<Value, double> ? "a number" : "text");
  return *value;
}

int integer_field(const MatlabRecord& synset, const char* name, std::size_t i) {
  constexpr double most = std::numeric_limits<int>::max();
  const double value = field<double>(synset, name, i);
  if (!(value >= 0 && value <= most))
    fail(ExitCode::bad_data, "{}: synsets({}).{} is {}, not a number of things", meta_file, i + 1, name,
         value);
  return static_cast<int>(value);
}

std::vector<MatlabRecord> read_synsets(std::string_view bytes) {
  try {
    return read_matlab_structs(bytes, "synsets");
  } catch (const Error& error) {
    fail(error.category(), "{}: {}", meta_file, error.what());
  }
}

std::vector<Synset> parse_meta(std::string_view bytes) {
  const std::vector<MatlabRecord> synsets = read_synsets(bytes);
  std::vector<Synset> leaves;
  for (std::size_t i = 0; i < synsets.size(); ++i) {
    if (integer_field(synsets[i], "num_children", i) != 0)
      continue;  // an inner node of WordNet's tree, not a class
    leaves.push_back({integer_field(synsets[i], "ILSVRC2012_ID", i),
                      field<std::string>(synsets[i], "WNID", i), field<std::string>(synsets[i], "words", i)});
  }
  std::ranges::sort(leaves, {}, &Synset::id);
  if (leaves.empty()) fail(ExitCode::bad_data, "{} has no synset without children", meta_file);
  return leaves;
}

std::vector<int> parse_ground_truth(std::string_view text) {
  std::vector<int> ids;
  for (const char* at = text.data(); at < text.data() + text.size();) {
    if (*at == '\n' || *at == '\r' || *at == ' ') {
      ++at;
      continue;
    }
    int id = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), id);
    if (error != std::errc())
      fail(ExitCode::bad_data, "{}: line {} is not a number", truth_file, ids.size() + 1);
    ids.push_back(id);
    at = end;
  }
  return ids;
}

// The two files' bytes, from the tar or the folder.
struct DevkitFiles {
  std::optional<std::string> meta, truth;
};

DevkitFiles collect(const fs::path& path) {
  DevkitFiles files;
  if (fs::is_directory(path)) {
    const fs::path folder = fs::exists(path / "data") ? path / "data" : path;
    if (fs::exists(folder / meta_file)) files.meta = read_text_file(folder / meta_file);
    if (fs::exists(folder / truth_file)) files.truth = read_text(folder / truth_file);
    return files;
  }
  const auto wanted = [](const std::string& member) {
    return file_name(member) == meta_file || file_name(member) == truth_file;
  };
  for (const UnpackedMember& member : unpack_members(path, wanted)) {
    std::string text(reinterpret_cast<const char*>(member.bytes.data()), member.bytes.size());
    (file_name(member.path) == meta_file ? files.meta : files.truth) = std::move(text);
  }
  return files;
}

}  // namespace

bool looks_like_devkit(const fs::path& path) {
  if (fs::is_directory(path)) return fs::exists(path / meta_file) || fs::exists(path / "data" / meta_file);
  std::error_code unreadable;
  // Reading from a pipe would take its first bytes away, and a FIFO might have no writer.
  if (!fs::is_regular_file(path, unreadable)) return false;
  std::ifstream file(path, std::ios::binary);
  char head[2] = {};
  file.read(head, 2);
  return file && head[0] == '\x1F' && head[1] == '\x8B';
}

ImagenetDevkit read_devkit(const fs::path& path) {
  const DevkitFiles files = collect(path);
  if (!files.meta) {
    fail(ExitCode::bad_data,
         "{} is not an ILSVRC2012 development kit: it contains no {} "
         "(the file is called ILSVRC2012_devkit_t12.tar.gz)",
         path.string(), meta_file);
  }
  try {
    ImagenetDevkit kit{parse_meta(*files.meta), {}};
    if (files.truth) kit.ground_truth = parse_ground_truth(*files.truth);
    return kit;
  } catch (const Error& error) {
    fail(error.category(), "{}: {}", path.string(), error.what());
  }
}

}  // namespace convoy
