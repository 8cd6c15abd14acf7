// The fingerprint that identifies a store's content: XXH3-128 over every image's metadata, independent of the
// number of shards, ranks or interruptions that produced the store. Used by pack, synthesize and verify.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "data/store.hpp"

namespace convoy {

class Fingerprint {
 public:
  Fingerprint();
  ~Fingerprint();
  Fingerprint(const Fingerprint&) = delete;
  Fingerprint& operator=(const Fingerprint&) = delete;

  // Adds one image, in stored order, the training split's before the validation split's: name, NUL, then
  // label and checksum, little-endian.
  void add_image(std::string_view name, std::int32_t label, std::uint32_t crc32c);

  // Called once, at the end: id, NUL, name, NUL of each class in label order.
  void add_classes(std::span<const ClassEntry> classes);

  // 32 lower-case hexadecimal digits (XXH3's canonical, big-endian form).
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy
