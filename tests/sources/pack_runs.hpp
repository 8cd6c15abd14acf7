// Shared by tests of packing: small sources, options, packing without output, and a store's bytes.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "data/image_files.hpp"
#include "sources/pack.hpp"
#include "support/mpi_test.hpp"

namespace convoy::test {

constexpr int image_side = 16;
constexpr std::uint64_t image_bytes = image_side * image_side * 3;

inline Log quiet() {
  return Log(world().rank(), world().size(), LogLevel::warning);
}

// Without the files that locks leave.
inline std::map<std::string, std::string> bytes_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(".lock")) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return files;
}

// The names and contents must be equal; only names are printed when they are not.
inline void expect_equal(const std::map<std::string, std::string>& a,
                         const std::map<std::string, std::string>& b) {
  for (const auto& [name, bytes] : a) EXPECT_TRUE(b.contains(name) && b.at(name) == bytes) << name;
  EXPECT_EQ(a.size(), b.size());
}

inline std::string image(int i) {
  Quadrants picture;
  picture.width = 16 + i % 5;
  picture.height = 16 + i % 3;
  picture.colours[0] = {(i * 37) % 256, (i * 11) % 256, (i * 5) % 256};
  return png_bytes(picture);
}

// `images` PNGs in `classes` folders, image i in class i % classes.
inline void make_folder(const std::filesystem::path& folder, int images, int classes) {
  for (int i = 0; i < images; ++i)
    write_file(folder / fmt::format("class{}/{:03}.JPEG", i % classes, i), image(i));
}

inline PackOptions options_for(const std::filesystem::path& source, const std::filesystem::path& store) {
  PackOptions options;
  options.source = source;
  options.store = store;
  options.image_size = image_side;
  options.shard_bytes = 8 * image_bytes;
  options.workers = 2;
  return options;
}

inline SplitReport pack_quietly(const PackOptions& options) {
  return pack(options, world(), quiet()).split;
}

}  // namespace convoy::test
