// The architecture of src/ as a test: a folder includes only from itself and from those below it, and a
// foreign library's header stays in the folder that owns the library: in its implementation files and in
// private headers that nobody outside includes.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/atomic_file.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

// Lowest first.
const std::vector<std::string> folder_order = {
    "base",     "picture", "model",      "device",    "comm",  "data",   "sources", "engine",
    "settings", "foreign", "checkpoint", "inference", "train", "report", "plan",    "cli"};

// Headers of libraries and the folders (below src/) that may bring them in.
const std::vector<std::pair<std::string, std::vector<std::string>>> owned_headers = {
    {"mpi.h", {"comm"}},
    // device/cuda asks every library of the CUDA module for its version.
    {"nccl.h", {"comm", "device/cuda"}},
    {"hdf5.h", {"data"}},
    {"dnnl", {"engine/cpu"}},
    {"oneapi/dnnl", {"engine/cpu"}},
    {"cudnn", {"engine/cuda", "device/cuda"}},
    {"cublas", {"engine/cuda", "device/cuda"}},
    {"cuda", {"device/cuda", "engine/cuda", "comm"}},
    {"jpeglib.h", {"data", "picture"}},
    {"jerror.h", {"data"}},
    {"png.h", {"data", "picture"}},
    {"ft2build.h", {"picture"}},
    {"freetype/", {"picture"}},
    {"libexif/", {"data"}},
    {"archive.h", {"sources", "foreign"}},
    {"archive_entry.h", {"sources", "foreign"}},
    {"google/protobuf", {"foreign", "report"}},
    {"caffe.pb.h", {"foreign"}},
    {"tensorboard.pb.h", {"report"}},
    {"zlib.h", {"sources", "foreign"}},
    {"matio.h", {"sources"}},
    {"opencv2/", {"data"}},
    {"xxhash.h", {"data", "train"}},
    {"isa-l", {"base"}},
};

struct Include {
  std::string file, target;  // file: relative to src/
  int line = 0;
};

std::vector<Include> all_includes() {
  const fs::path root = CONVOY_SOURCE_FOLDER;
  const std::regex pattern(R"re(^\s*#\s*include\s*[<"]([^>"]+)[>"])re");
  std::vector<Include> result;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".hpp" && extension != ".cpp" && extension != ".cu" && extension != ".cuh") continue;
    std::istringstream text(read_text_file(entry.path()));
    int number = 0;
    for (std::string line; std::getline(text, line);) {
      ++number;
      std::smatch match;
      if (std::regex_search(line, match, pattern))
        result.push_back({fs::relative(entry.path(), root).string(), match[1], number});
    }
  }
  return result;
}

// Number of the path's first folder in the order; -1 for others.
int level(const std::string& path) {
  const auto found = std::ranges::find(folder_order, path.substr(0, path.find('/')));
  return found == folder_order.end() || path.find('/') == path.npos
             ? -1
             : static_cast<int>(found - folder_order.begin());
}

TEST(FolderOrder, FoldersIncludeOnlyDownwards) {
  const std::vector<Include> includes = all_includes();
  ASSERT_GT(includes.size(), 50U) << "src/ was not found";
  for (const Include& include : includes) {
    ASSERT_GE(level(include.file), 0) << include.file << " lies in no folder of the architecture";
    EXPECT_LE(level(include.target), level(include.file))
        << include.file << ":" << include.line << " includes \"" << include.target
        << "\" from a folder above it";
  }
}

TEST(FolderOrder, OwnHeadersAreNamedFromTheRootOfTheSources) {
  for (const Include& include : all_includes()) {
    const fs::path neighbour = (fs::path(CONVOY_SOURCE_FOLDER) / include.file).parent_path() / include.target;
    if (level(include.target) < 0) {
      EXPECT_FALSE(fs::exists(neighbour)) << include.file << ":" << include.line << " includes \""
                                          << include.target << "\" without its folder";
    }
  }
}

// "engine/cpu/layer.cpp" lies in engine/cpu and in engine.
bool lies_in(const std::string& file, const std::vector<std::string>& folders) {
  return std::ranges::any_of(folders,
                             [&](const std::string& folder) { return file.starts_with(folder + "/"); });
}

TEST(FolderOrder, LibrariesStayInTheirFolder) {
  const std::vector<Include> includes = all_includes();
  for (const auto& [header, owners] : owned_headers) {
    // Everything that reaches the library's header, directly or through a private header of its folder.
    std::set<std::string> carriers;
    for (bool grown = true; grown;) {
      grown = false;
      for (const Include& include : includes) {
        if (!include.target.starts_with(header) && !carriers.contains(include.target)) continue;
        grown |= carriers.insert(include.file).second;
        EXPECT_TRUE(lies_in(include.file, owners))
            << include.file << ":" << include.line << " brings in <" << header << "…> through "
            << include.target << "; that belongs to " << owners.front() << "/";
      }
    }
  }
}

// The names of the types that a file defines outside of unnamed namespaces, with their namespaces.
std::vector<std::string> defined_types(const std::string& text) {
  static const std::regex open(R"(^namespace ([\w:]*) ?\{$)");
  static const std::regex type(R"(^(?:struct|class|enum class) (\w+)(?:$|[^;\w]*\{| final| :))");
  std::vector<std::string> names, types;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_search(line, match, open))
      names.push_back(match[1]);
    else if (line.starts_with("}  // namespace") && !names.empty())
      names.pop_back();
    else if (std::regex_search(line, match, type) && std::ranges::find(names, "") == names.end()) {
      std::string name;
      for (const std::string& part : names) name += part + "::";
      types.push_back(name + match[1].str());
    }
  }
  return types;
}

// Two types of one name in one program are an error that no compiler or linker reports (the one-definition
// rule): their members and what templates make of them get mixed up.
TEST(FolderOrder, TypesHaveNamesOfTheirOwn) {
  std::map<std::string, std::string> places;
  for (const auto& entry : fs::recursive_directory_iterator(CONVOY_SOURCE_FOLDER)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".hpp" && extension != ".cpp" && extension != ".cu" && extension != ".cuh") continue;
    for (const std::string& type : defined_types(read_text_file(entry.path()))) {
      const auto [place, is_new] = places.emplace(type, entry.path().string());
      EXPECT_TRUE(is_new) << type << " is defined in " << place->second << " and in " << entry.path();
    }
  }
  EXPECT_GT(places.size(), 300U) << "the pattern finds no types";
}

TEST(FolderOrder, HeadersOpenWithWhatTheyAreFor) {
  for (const auto& entry : fs::recursive_directory_iterator(CONVOY_SOURCE_FOLDER)) {
    if (entry.path().extension() != ".hpp") continue;
    EXPECT_TRUE(read_text_file(entry.path()).starts_with("// ")) << entry.path();
  }
}

}  // namespace
}  // namespace convoy
