#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "checkpoint/checkpoint.hpp"
#include "checkpoint/checkpoint_format.hpp"
#include "data/hdf5_file.hpp"

namespace convoy {

namespace fs = std::filesystem;
namespace format = checkpoint_format;

namespace {

using Extents = std::vector<std::uint64_t>;

void put(Hdf5File& file, const std::string& dataset, std::span<const float> values, const Extents& extents) {
  // Reserved: its values are left to their own checksum, not to that of the file's structure.
  file.reserve<float>(dataset, extents);
  file.write_rows<float>(dataset, 0, extents[0], values);
  file.set_attribute(dataset, format::checksum, format::checksum_of(values));
}

void put(Hdf5File& file, const std::string& dataset, const std::vector<std::string>& texts) {
  // A NUL would end the text early in the file and spoil its checksum.
  for (const std::string& text : texts)
    ensure(text.find('\0') == text.npos, "a class's id and name hold no NUL character");
  file.write_strings(dataset, texts);
  file.set_attribute(dataset, format::checksum, format::checksum_of(texts));
}

std::span<const float> tensor_in(const std::vector<float>& buffer, const Parameter& parameter) {
  return std::span(buffer).subspan(parameter.offset, parameter.elements);
}

Extents extents_of(const Parameter& parameter) {
  return {parameter.shape.begin(), parameter.shape.end()};
}

void put_attributes(Hdf5File& file, const CheckpointHeader& header) {
  file.set_attribute("/", "format", format::name);
  file.set_attribute("/", "version", format::version);
  file.set_attribute("/", "model", header.model);
  file.set_attribute("/", "epoch", header.epoch);
  file.set_attribute("/", "epoch_samples", header.epoch_samples);
  file.set_attribute("/", "step", header.step);
  file.set_attribute("/", "configuration", header.configuration);
  file.set_attribute("/", "store_fingerprint", header.store_fingerprint);
  file.set_attribute("/", "schedule_state", header.schedule_state);
  file.set_attribute("/", "loss_scale", header.loss_scale);
  file.set_attribute("/", "best_top1", header.best_top1);
}

void put_input(Hdf5File& file, const InputSpec& input) {
  const auto side = static_cast<std::uint64_t>(input.stored_side);
  const bool image = input.mean.size() != 3;
  file.create_group("/input");
  file.set_attribute("/input", "size", static_cast<std::int64_t>(input.stored_side));
  file.set_attribute("/input", "crop", static_cast<std::int64_t>(input.crop_side));
  put(file, "/input/mean", input.mean, image ? Extents{3, side, side} : Extents{3});
  put(file, "/input/scale", input.scale, {3});
}

void put_classes(Hdf5File& file, const std::vector<ClassEntry>& classes) {
  std::vector<std::string> ids, names;
  for (const ClassEntry& entry : classes) {
    ids.push_back(entry.id);
    names.push_back(entry.name);
  }
  put(file, "/classes/id", ids);
  put(file, "/classes/name", names);
}

void put_all(Hdf5File& file, const ParameterTable& table, const Checkpoint& checkpoint) {
  const CheckpointHeader& header = checkpoint.header;
  put_attributes(file, header);
  for (const Parameter& parameter : table.parameters())
    put(file, format::parameter_dataset(parameter), tensor_in(checkpoint.parameters, parameter),
        extents_of(parameter));
  if (!header.optimizer.empty()) {
    file.create_group("/optimizer");
    file.set_attribute("/optimizer", "optimizer", header.optimizer);
  }
  for (std::size_t i = 0; i < header.slots.size(); ++i) {
    for (const Parameter& parameter : table.parameters())
      put(file, format::slot_dataset(header.slots[i], parameter),
          tensor_in(checkpoint.optimizer[i], parameter), extents_of(parameter));
  }
  put_input(file, header.input);
  file.set_attribute("/input", "fit", word_of(fit_words(), header.fit));
  put_classes(file, header.classes);
}

void check_sizes(const ParameterTable& table, const Checkpoint& checkpoint) {
  const CheckpointHeader& header = checkpoint.header;
  ensure(checkpoint.parameters.size() == table.size(), "a checkpoint's parameters have the table's size");
  ensure(checkpoint.optimizer.size() == header.slots.size(), "a checkpoint has one buffer for each slot");
  ensure(header.slots.empty() || !header.optimizer.empty(), "a checkpoint with slots names its optimiser");
  for (const auto& slot : checkpoint.optimizer)
    ensure(slot.size() == table.size(), "an optimiser slot of a checkpoint has the table's size");
  const auto side = static_cast<std::size_t>(header.input.stored_side);
  ensure(header.input.mean.size() == 3 || header.input.mean.size() == 3 * side * side,
         "a checkpoint's mean has 3 values or those of an image");
}

}  // namespace

void write_checkpoint(const fs::path& path, const ParameterTable& table, const Checkpoint& checkpoint) {
  check_sizes(table, checkpoint);
  PartialFile partial(path);
  Hdf5File file(partial.path(), Hdf5File::Access::create);
  put_all(file, table, checkpoint);
  file.close_with_checksum();
  partial.publish();
}

}  // namespace convoy
