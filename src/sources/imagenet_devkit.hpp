// The ILSVRC2012 development kit (ILSVRC2012_devkit_t12.tar.gz, or unpacked into a folder): the class of each
// image of the flat validation tar, and the classes' words. Its class numbers are its own (meta.mat's
// ILSVRC2012_ID), not the usual order of the sorted synsets.
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
  std::vector<Synset> synsets;    // those without children are the classes; by id
  std::vector<int> ground_truth;  // an id for each validation image, in order of file names; empty if absent
};

// Whether `path` can be a kit: a gzip file, or a folder with data/meta.mat or meta.mat.
bool looks_like_devkit(const std::filesystem::path& path);

// Throws ExitCode::bad_data for missing or invalid content.
ImagenetDevkit read_devkit(const std::filesystem::path& path);

}  // namespace convoy
