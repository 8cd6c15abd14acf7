#include "sources/imagenet_devkit.hpp"

#include <matio.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/memory_file.hpp"
#include "base/text_file.hpp"
#include "sources/tar_file.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view meta_file = "meta.mat", truth_file = "ILSVRC2012_validation_ground_truth.txt";

// A field of element `i` of a struct array; an error if it is absent.
const matvar_t& field(const matvar_t& synsets, const char* name, std::size_t i) {
  const matvar_t* value = Mat_VarGetStructFieldByName(const_cast<matvar_t*>(&synsets), name, i);
  if (value == nullptr || value->data == nullptr)
    fail(ExitCode::bad_data, "{}: synsets({}) has no {}", meta_file, i + 1, name);
  return *value;
}

int integer_field(const matvar_t& synsets, const char* name, std::size_t i) {
  const matvar_t& value = field(synsets, name, i);
  if (value.nbytes < static_cast<std::size_t>(value.data_size))
    fail(ExitCode::bad_data, "{}: synsets({}).{} is empty", meta_file, i + 1, name);
  switch (value.data_type) {
    case MAT_T_DOUBLE:
      return static_cast<int>(*static_cast<const double*>(value.data));
    case MAT_T_SINGLE:
      return static_cast<int>(*static_cast<const float*>(value.data));
    case MAT_T_UINT8:
      return *static_cast<const std::uint8_t*>(value.data);
    case MAT_T_UINT16:
      return *static_cast<const std::uint16_t*>(value.data);
    case MAT_T_INT16:
      return *static_cast<const std::int16_t*>(value.data);
    case MAT_T_INT32:
      return *static_cast<const std::int32_t*>(value.data);
    case MAT_T_UINT32:
      return static_cast<int>(*static_cast<const std::uint32_t*>(value.data));
    default:
      fail(ExitCode::bad_data, "{}: synsets({}).{} is not a number", meta_file, i + 1, name);
  }
}

// Text is stored as bytes or, by newer writers, as 16-bit units; characters other than ASCII are converted to
// UTF-8.
std::string text_field(const matvar_t& synsets, const char* name, std::size_t i) {
  const matvar_t& value = field(synsets, name, i);
  if (value.class_type != MAT_C_CHAR)
    fail(ExitCode::bad_data, "{}: synsets({}).{} is not text", meta_file, i + 1, name);
  if (value.data_size != 2) return {static_cast<const char*>(value.data), value.nbytes};
  std::string text;
  for (const std::uint16_t unit :
       std::span(static_cast<const std::uint16_t*>(value.data), value.nbytes / sizeof(std::uint16_t))) {
    if (unit < 0x80) {
      text += static_cast<char>(unit);
    } else if (unit < 0x800) {
      text += static_cast<char>(0xC0 | unit >> 6);
      text += static_cast<char>(0x80 | (unit & 0x3F));
    } else {
      text += static_cast<char>(0xE0 | unit >> 12);
      text += static_cast<char>(0x80 | (unit >> 6 & 0x3F));
      text += static_cast<char>(0x80 | (unit & 0x3F));
    }
  }
  return text;
}

std::vector<Synset> parse_meta(std::string_view bytes) {
  // matio reads files only by name.
  const MemoryFile file("meta.mat");
  file.descriptor().write(bytes);
  const std::unique_ptr<mat_t, int (*)(mat_t*)> mat(Mat_Open(file.path().c_str(), MAT_ACC_RDONLY), Mat_Close);
  if (!mat) fail(ExitCode::bad_data, "{} is not a MATLAB file", meta_file);
  const std::unique_ptr<matvar_t, void (*)(matvar_t*)> synsets(Mat_VarRead(mat.get(), "synsets"),
                                                               Mat_VarFree);
  if (!synsets || synsets->class_type != MAT_C_STRUCT || synsets->rank < 1)
    fail(ExitCode::bad_data, "{} has no struct array synsets", meta_file);
  std::size_t count = 1;
  for (int axis = 0; axis < synsets->rank; ++axis) count *= synsets->dims[axis];
  std::vector<Synset> leaves;
  for (std::size_t i = 0; i < count; ++i) {
    if (integer_field(*synsets, "num_children", i) != 0)
      continue;  // an inner node of WordNet's tree, not a class
    leaves.push_back({integer_field(*synsets, "ILSVRC2012_ID", i), text_field(*synsets, "WNID", i),
                      text_field(*synsets, "words", i)});
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
