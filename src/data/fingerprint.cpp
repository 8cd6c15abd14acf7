#include "data/fingerprint.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include "base/error.hpp"

namespace convoy {

struct Fingerprint::State {
  XXH3_state_t* hash = XXH3_createState();
  ~State() { XXH3_freeState(hash); }
  void add(std::string_view bytes) { XXH3_128bits_update(hash, bytes.data(), bytes.size()); }
};

Fingerprint::Fingerprint() : state_(std::make_unique<State>()) {
  ensure(state_->hash != nullptr && XXH3_128bits_reset(state_->hash) == XXH_OK, "xxHash could not start");
}
Fingerprint::~Fingerprint() = default;

void Fingerprint::add_image(std::string_view name, std::int32_t label, std::uint32_t crc32c) {
  char tail[9] = {};  // NUL, label, checksum
  const auto label_bits = static_cast<std::uint32_t>(label);
  for (int i = 0; i < 4; ++i) {
    tail[1 + i] = static_cast<char>(label_bits >> (8 * i));
    tail[5 + i] = static_cast<char>(crc32c >> (8 * i));
  }
  state_->add(name);
  state_->add({tail, sizeof tail});
}

void Fingerprint::add_classes(std::span<const ClassEntry> classes) {
  for (const ClassEntry& entry : classes) {
    state_->add({entry.id.c_str(), entry.id.size() + 1});
    state_->add({entry.name.c_str(), entry.name.size() + 1});
  }
}

std::string Fingerprint::text() const {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, XXH3_128bits_digest(state_->hash));
  std::string text;
  for (const unsigned char byte : bytes.digest) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace convoy
