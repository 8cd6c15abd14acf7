#include "foreign/convoy_metadata.hpp"

#include <algorithm>

#include "data/messages.hpp"

namespace convoy {
namespace {

constexpr int deepest = 3;  // of the JSON that Convoy writes
constexpr int largest_side = 65'536;

std::string text_of(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// The value of `key`; nothing if it is absent or another program's.
template <typename Value>
std::optional<Value> value_of_key(const SafetensorsMetadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::nullopt;
  const auto shallow = [](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    return depth <= deepest;
  };
  try {
    return nlohmann::json::parse(found->second, shallow).template get<Value>();
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

// Checkpoints cannot hold a NUL character.
bool can_be_stored(const std::vector<ClassEntry>& classes) {
  return std::ranges::none_of(classes, [](const ClassEntry& entry) {
    return entry.id.find('\0') != entry.id.npos || entry.name.find('\0') != entry.name.npos;
  });
}

bool is_side(int side) {
  return side > 0 && side <= largest_side;
}

}  // namespace

SafetensorsMetadata to_metadata(const ConvoyMetadata& content) {
  SafetensorsMetadata metadata{{"model", content.model}, {"classes", text_of(content.classes)}};
  if (content.input && content.input->spec.mean.size() == 3) {
    metadata["input"] = text_of(content.input->spec);
    metadata["fit"] = word_of(fit_words(), content.input->fit);
  }
  return metadata;
}

ConvoyMetadata parse_metadata(const SafetensorsMetadata& metadata) {
  ConvoyMetadata content;
  if (const auto model = metadata.find("model"); model != metadata.end()) content.model = model->second;
  auto classes = value_of_key<std::vector<ClassEntry>>(metadata, "classes");
  if (classes && can_be_stored(*classes)) content.classes = std::move(*classes);
  const auto spec = value_of_key<InputSpec>(metadata, "input");
  const auto word = metadata.find("fit");
  const auto fit = word == metadata.end() ? std::nullopt : value_of(fit_words(), word->second);
  if (spec && fit && is_side(spec->stored_side) && is_side(spec->crop_side) && spec->mean.size() == 3)
    content.input = ForeignInput{*spec, *fit};
  return content;
}

}  // namespace convoy
