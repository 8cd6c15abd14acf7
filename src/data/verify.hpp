// Checks a whole store: every image's checksum, every shard's size, attributes and shapes, labels, names, the
// mean image and the fingerprint. Used by `convoy verify`, whose ranks share the images.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/store.hpp"

namespace convoy {

// An error in the store. Without an index it applies to the whole file.
struct BadRecord {
  std::string split;        // "train" or "val"; empty: the store as a whole
  std::string file;         // within the store's folder
  std::int64_t index = -1;  // of the image in its shard
  std::string name;         // of the image
  std::string reason;
  // The system refused to read the file (permissions, too many open files, a failing disk): says nothing
  // about its content. A file that is absent is an error in the store.
  bool unreadable = false;
};

struct VerifyReport {
  std::int64_t images = 0;     // read and verified by this part
  std::vector<BadRecord> bad;  // in stored order
  std::string fingerprint;     // recomputed; by part 0 only, empty when metadata could not be read
};

// Called occasionally with the images done so far and the total for this part.
using VerifyProgress = std::function<void(std::int64_t done, std::int64_t total)>;

// Checks part `part` of `parts` of the images (train, then val, in stored order); together the parts report
// every error once. Part 0 also checks the store as a whole. Errors are reported, not thrown.
VerifyReport verify_store(const Store& store, int part = 0, int parts = 1,
                          const VerifyProgress& progress = {});

}  // namespace convoy
