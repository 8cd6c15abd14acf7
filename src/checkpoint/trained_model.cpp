#include "checkpoint/trained_model.hpp"

#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "checkpoint/weights_file.hpp"
#include "data/messages.hpp"
#include "model/networks.hpp"

namespace convoy {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CheckpointHeader, model, epoch, epoch_samples, step, configuration,
                                   store_fingerprint, schedule_state, loss_scale, best_top1, input, fit,
                                   classes, optimizer, slots)

namespace {

// The network that a checkpoint's parameters belong to. Throws ExitCode::usage for a model that this program
// does not know or an input side that it does not take.
NetSpec network_of(const CheckpointHeader& header) {
  NetworkChanges changes{.classes = static_cast<int>(header.classes.size()), .dropout = {}};
  NetSpec network = make_network(header.model, changes);
  if (header.input.crop_side != network.input.height) {
    changes.input_side = header.input.crop_side;
    network = make_network(header.model, changes);
  }
  return network;
}

TrainedModel foreign_model(const std::filesystem::path& path) {
  ForeignModel foreign = read_foreign_model(path);
  TrainedModel model;
  model.header = header_of(foreign);
  model.foreign = true;
  model.notes = std::move(foreign.notes);
  model.notes.insert(model.notes.begin(), fmt::format("{}: {}", path.string(), summary_of(foreign)));
  model.network = std::move(foreign.network);
  model.parameters = std::move(foreign.parameters);
  return model;
}

}  // namespace

TrainedModel load_model(const std::filesystem::path& path) {
  if (foreign_format(path)) return foreign_model(path);
  TrainedModel model;
  const std::unique_ptr<CheckpointFile> file = open_checkpoint(path);
  model.header = file->header();
  try {
    model.network = network_of(model.header);
  } catch (const Error& error) {
    fail(ExitCode::bad_data, "{}: {}", path.string(), error.what());
  }
  model.parameters = file->read_parameters(ParameterTable(model.network));
  return model;
}

TrainedModel share_model(const std::filesystem::path& path, Communicator& communicator) {
  TrainedModel shared;
  const std::string text = communicator.on_rank_zero([&] {
    shared = load_model(path);
    return to_message(std::pair(shared.header, shared.foreign));
  });
  if (communicator.rank() != 0) {
    std::tie(shared.header, shared.foreign) = from_message<std::pair<CheckpointHeader, bool>>(text);
    shared.network = network_of(shared.header);
    shared.parameters.resize(ParameterTable(shared.network).size());
  }
  communicator.broadcast(std::as_writable_bytes(std::span(shared.parameters)));
  return shared;
}

}  // namespace convoy
