#include "checkpoint/trained_model.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "model/networks.hpp"

namespace convoy {
namespace {

// What evaluation needs of a header, as text for a broadcast; the mean goes as floats.
std::string header_text(const CheckpointHeader& header) {
  nlohmann::json json;
  json["model"] = header.model;
  json["step"] = header.step;
  json["epoch"] = header.epoch;
  json["fingerprint"] = header.store_fingerprint;
  json["stored_side"] = header.input.stored_side;
  json["crop_side"] = header.input.crop_side;
  json["scale"] = header.input.scale;
  json["mean"] = header.input.mean.size();
  auto& classes = json["classes"] = nlohmann::json::array();
  for (const ClassEntry& entry : header.classes) classes.push_back({entry.id, entry.name});
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

CheckpointHeader parse_header(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  CheckpointHeader header;
  header.model = json.at("model");
  header.step = json.at("step");
  header.epoch = json.at("epoch");
  header.store_fingerprint = json.at("fingerprint");
  header.input.stored_side = json.at("stored_side");
  header.input.crop_side = json.at("crop_side");
  for (std::size_t i = 0; i < 3; ++i) header.input.scale[i] = json.at("scale").at(i);
  header.input.mean.resize(json.at("mean"));
  for (const auto& entry : json.at("classes")) header.classes.push_back({entry.at(0), entry.at(1)});
  return header;
}

}  // namespace

NetSpec network_of(const CheckpointHeader& header) {
  NetworkChanges changes{.classes = static_cast<int>(header.classes.size()), .dropout = {}};
  NetSpec network = make_network(header.model, changes);
  if (header.input.crop_side != network.input.height) {
    changes.input_side = header.input.crop_side;
    network = make_network(header.model, changes);
  }
  return network;
}

TrainedModel load_model(const std::filesystem::path& path) {
  TrainedModel shared;
  const CheckpointFile file(path);
  shared.header = file.header();
  try {
    shared.network = network_of(shared.header);
  } catch (const Error& error) {
    fail(ExitCode::bad_data, "{}: {}", path.string(), error.what());
  }
  shared.parameters = file.read_parameters(ParameterTable(shared.network));
  return shared;
}

TrainedModel share_model(const std::filesystem::path& path, Communicator& communicator) {
  TrainedModel shared;
  const std::string text = communicator.on_rank_zero([&] {
    shared = load_model(path);
    return header_text(shared.header);
  });
  if (communicator.rank() != 0) {
    shared.header = parse_header(text);
    shared.network = network_of(shared.header);
    shared.parameters.resize(ParameterTable(shared.network).size());
  }
  communicator.broadcast(std::as_writable_bytes(std::span(shared.header.input.mean)));
  communicator.broadcast(std::as_writable_bytes(std::span(shared.parameters)));
  return shared;
}

}  // namespace convoy
