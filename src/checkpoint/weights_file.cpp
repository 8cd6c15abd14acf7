#include "checkpoint/weights_file.hpp"

#include <algorithm>

#include "base/counted.hpp"
#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "base/text_list.hpp"

namespace convoy {
namespace {

std::string numbers_text(std::span<const float> values) {
  std::string text;
  for (const float value : values) text += fmt::format("{}{:.4g}", text.empty() ? "" : ", ", value);
  return text;
}

std::string sides_text(const InputSpec& input, Fit fit) {
  const int side = input.stored_side;
  switch (fit) {
    case Fit::warp:
      return fmt::format("both sides to {}", side);
    case Fit::pad:
      return fmt::format("the longer side to {}, with borders", side);
    case Fit::cut:
      break;
  }
  return fmt::format("the shorter side to {}", side);
}

}  // namespace

CheckpointHeader header_of(const ForeignModel& model) {
  CheckpointHeader header;
  header.model = model.network.name;
  header.input = model.input.spec;
  header.fit = model.input.fit;
  header.classes = model.classes;
  return header;
}

std::string input_text(const InputSpec& input, Fit fit) {
  const bool image = input.mean.size() != 3;
  return fmt::format("{}, the centre {} × {}; (pixel − {}) × ({})", sides_text(input, fit), input.crop_side,
                     input.crop_side, image ? "mean image" : fmt::format("({})", numbers_text(input.mean)),
                     numbers_text(input.scale));
}

std::string summary_of(const ForeignModel& model) {
  std::string alike;
  if (!model.alike.empty())
    alike = fmt::format(" ({} {} weights of the same shapes)", text_list(model.alike),
                        model.alike.size() == 1 ? "has" : "have");
  return fmt::format("{} weights of {}{}, {}; images: {}", name_of(model.format), model.network.name, alike,
                     counted(model.match.classes, "output"), input_text(model.input.spec, model.input.fit));
}

bool are_numbered(const std::vector<ClassEntry>& classes) {
  for (std::size_t i = 0; i < classes.size(); ++i)
    if (classes[i].id != fmt::format("class-{}", i)) return false;
  return true;
}

std::unique_ptr<CheckpointFile> open_checkpoint(const std::filesystem::path& path) {
  constexpr std::string_view hdf5 = "\x89HDF\r\n\x1A\n";
  const FileDescriptor file = open_regular_file(path);
  if (file.size() >= hdf5.size() && file.read_part(0, hdf5.size()) != hdf5)
    fail(ExitCode::bad_data,
         "{} is neither a checkpoint of Convoy nor weights of PyTorch (.pth), safetensors or Caffe",
         path.string());
  return std::make_unique<CheckpointFile>(path);
}

WeightsFile::WeightsFile(const std::filesystem::path& path, const std::string& network) {
  if (!foreign_format(path)) {
    file_ = open_checkpoint(path);
    return;
  }
  ForeignModel model =
      read_foreign_model(path, {.network = {}, .preferred = network, .ignore_extra = true, .input = {}});
  header_ = header_of(model);
  table_.emplace(model.network);
  parameters_ = std::move(model.parameters);
  notes_ = std::move(model.notes);
}

std::optional<StoredTensor> WeightsFile::tensor(const Parameter& parameter) const {
  if (file_) return file_->read_tensor("/parameters/" + parameter.path());
  const auto own = std::ranges::find(table_->parameters(), parameter.path(), &Parameter::path);
  if (own == table_->parameters().end()) return std::nullopt;
  const auto begin = parameters_.begin() + static_cast<std::ptrdiff_t>(own->offset);
  return StoredTensor{own->shape, {begin, begin + static_cast<std::ptrdiff_t>(own->elements)}};
}

}  // namespace convoy
