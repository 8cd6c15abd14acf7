// The ILSVRC2012 development kit (ILSVRC2012_devkit_t12.tar.gz, or unpacked into a folder): which class each
// of the flat validation tar's images belongs to, and the classes' words. Its class numbers are its own
// (meta.mat's ILSVRC2012_ID), not the order of the sorted synsets that everybody trains with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace convoy {

struct Synset {
  int id = 0;         // ILSVRC2012_ID
  std::string wnid;   // "n01440764"
  std::string words;  // "tench, Tinca tinca"
};

struct ImagenetDevkit {
  std::vector<Synset> synsets;  // those without children, which are the classes; by id
  std::vector<int>
      ground_truth;  // an id for each validation image, in order of file names; empty when it has none
};

// Whether `path` can be one: a gzip file, or a folder with data/meta.mat or meta.mat.
bool looks_like_devkit(const std::filesystem::path& path);

// Throws ExitCode::bad_data saying what is missing or makes no sense.
ImagenetDevkit read_devkit(const std::filesystem::path& path);

}  // namespace convoy
