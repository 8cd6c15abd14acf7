#include <algorithm>
#include <limits>
#include <set>

#include "base/error.hpp"
#include "checkpoint/checkpoint.hpp"
#include "checkpoint/checkpoint_format.hpp"
#include "data/hdf5_file.hpp"

namespace convoy {

namespace fs = std::filesystem;
namespace format = checkpoint_format;

namespace {

using Extents = std::vector<std::uint64_t>;

constexpr std::uint64_t most_classes = 1'000'000;
constexpr std::int64_t largest_side = 65'536;

template <typename... Arguments>
[[noreturn]] void refuse(const Hdf5File& file, fmt::format_string<Arguments...> text,
                         Arguments&&... arguments) {
  fail(ExitCode::bad_data, "{}: {}", file.path().string(),
       fmt::format(text, std::forward<Arguments>(arguments)...));
}

std::string shape_text(const Extents& extents) {
  std::string text;
  for (const std::uint64_t extent : extents) text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text.empty() ? "a single value" : text;
}

void check_sum(const Hdf5File& file, const std::string& dataset, std::uint32_t found) {
  const std::int64_t stored = file.integer_attribute(dataset, format::checksum);
  if (stored != std::int64_t{found})
    refuse(file, "{} is corrupt: its checksum is {:08x}, stored is {:08x}", dataset, found, stored);
}

// Reads a dataset of the given shape into `values`.
void take(const Hdf5File& file, const std::string& dataset, const Extents& expected,
          std::span<float> values) {
  const Extents extents = file.shape(dataset);
  if (extents != expected)
    refuse(file, "{} is {}, this network needs {}", dataset, shape_text(extents), shape_text(expected));
  file.read_into<float>(dataset, values);
  check_sum(file, dataset, format::checksum_of(values));
}

std::vector<std::string> take_texts(const Hdf5File& file, const std::string& dataset) {
  const Extents extents = file.shape(dataset);
  if (extents.size() != 1 || extents[0] > most_classes)
    refuse(file, "{} is {}, not a list of texts", dataset, shape_text(extents));
  auto texts = file.read_strings(dataset);
  check_sum(file, dataset, format::checksum_of(texts));
  return texts;
}

// Before anything else: is it one of ours at all?
void check_format(const Hdf5File& file) {
  if (!file.has_attribute("/", "format") || file.text_attribute("/", "format") != format::name)
    refuse(file, "not a checkpoint of Convoy (no attribute format = \"{}\")", format::name);
  const std::int64_t version = file.integer_attribute("/", "version");
  if (version != format::version)
    refuse(file, "has version {} of the checkpoint format; this program reads version {}", version,
           format::version);
}

int take_side(const Hdf5File& file, const char* attribute) {
  const std::int64_t side = file.integer_attribute("/input", attribute);
  if (side <= 0 || side > largest_side)
    refuse(file, "/input: attribute {} is {}, not the side of an image", attribute, side);
  return static_cast<int>(side);
}

// Checkpoints from before there was a choice hold none.
Fit take_fit(const Hdf5File& file) {
  if (!file.has_attribute("/input", "fit")) return Fit::cut;
  const std::string word = file.text_attribute("/input", "fit");
  const std::optional<Fit> fit = value_of(fit_words(), word);
  if (!fit) refuse(file, "/input: attribute fit is '{}', expected cut, warp or pad", word);
  return *fit;
}

InputSpec take_input(const Hdf5File& file) {
  InputSpec input;
  input.stored_side = take_side(file, "size");
  input.crop_side = take_side(file, "crop");
  const auto side = static_cast<std::uint64_t>(input.stored_side);
  const Extents one_a_channel{3}, image{3, side, side};
  const Extents stored = file.shape("/input/mean");
  if (stored != one_a_channel && stored != image)
    refuse(file, "/input/mean is {}, expected {} or {}", shape_text(stored), shape_text(one_a_channel),
           shape_text(image));
  input.mean = file.read<float>("/input/mean");
  check_sum(file, "/input/mean", format::checksum_of(input.mean));
  take(file, "/input/scale", {3}, input.scale);
  return input;
}

std::vector<ClassEntry> take_classes(const Hdf5File& file) {
  auto ids = take_texts(file, "/classes/id");
  auto names = take_texts(file, "/classes/name");
  if (ids.size() != names.size())
    refuse(file, "/classes holds {} ids but {} names", ids.size(), names.size());
  std::vector<ClassEntry> classes;
  classes.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) classes.push_back({std::move(ids[i]), std::move(names[i])});
  return classes;
}

CheckpointHeader take_header(const Hdf5File& file) {
  check_format(file);
  CheckpointHeader header;
  header.model = file.text_attribute("/", "model");
  header.epoch = file.integer_attribute("/", "epoch");
  header.epoch_samples = file.integer_attribute("/", "epoch_samples");
  header.step = file.integer_attribute("/", "step");
  header.configuration = file.text_attribute("/", "configuration");
  header.store_fingerprint = file.text_attribute("/", "store_fingerprint");
  header.schedule_state = file.text_attribute("/", "schedule_state");
  header.loss_scale = file.real_attribute("/", "loss_scale");
  header.best_top1 = file.real_attribute("/", "best_top1");
  header.input = take_input(file);
  header.fit = take_fit(file);
  header.classes = take_classes(file);
  if (file.exists("/optimizer")) {
    header.optimizer = file.text_attribute("/optimizer", "optimizer");
    header.slots = file.children("/optimizer");
  }
  return header;
}

// The layers of `group` must be those of the table, no more and no fewer.
void check_layers(const Hdf5File& file, const std::string& group, const ParameterTable& table,
                  const std::string& model) {
  std::set<std::string> expected;
  for (const Parameter& parameter : table.parameters()) expected.insert(parameter.layer);
  const auto stored = file.children(group);
  for (const std::string& layer : stored) {
    if (!expected.contains(layer))
      refuse(file, "holds '{}', whose layer {}/{} this network does not have", model, group, layer);
  }
  for (const std::string& layer : expected) {
    if (std::find(stored.begin(), stored.end(), layer) == stored.end())
      refuse(file, "holds '{}', which lacks this network's {}/{}", model, group, layer);
  }
}

std::vector<float> take_buffer(const Hdf5File& file, const ParameterTable& table, const std::string& group,
                               const std::string& model) {
  check_layers(file, group, table, model);
  std::vector<float> buffer(table.size());  // gaps stay zero
  for (const Parameter& parameter : table.parameters())
    take(file, group + "/" + parameter.path(), {parameter.shape.begin(), parameter.shape.end()},
         std::span(buffer).subspan(parameter.offset, parameter.elements));
  return buffer;
}

}  // namespace

CheckpointFile::CheckpointFile(const fs::path& path)
    : file_(std::make_unique<Hdf5File>(path, Hdf5File::Access::read)), header_(take_header(*file_)) {}

CheckpointFile::~CheckpointFile() = default;

Checkpoint CheckpointFile::read(const ParameterTable& table, std::string_view model) const {
  if (!model.empty() && header_.model != model) refuse(*file_, "holds '{}', not '{}'", header_.model, model);
  Checkpoint checkpoint{.header = header_, .parameters = read_parameters(table), .optimizer = {}};
  for (const std::string& slot : header_.slots)
    checkpoint.optimizer.push_back(take_buffer(*file_, table, "/optimizer/" + slot, header_.model));
  return checkpoint;
}

std::vector<float> CheckpointFile::read_parameters(const ParameterTable& table) const {
  return take_buffer(*file_, table, "/parameters", header_.model);
}

std::optional<StoredTensor> CheckpointFile::read_tensor(const std::string& dataset) const {
  if (!file_->exists(dataset)) return std::nullopt;
  StoredTensor tensor;
  for (const std::uint64_t extent : file_->shape(dataset)) {
    if (extent > static_cast<std::uint64_t>(std::numeric_limits<int>::max()))
      refuse(*file_, "{} has {} rows, more than any network", dataset, extent);
    tensor.shape.push_back(static_cast<int>(extent));
  }
  tensor.values = file_->read<float>(dataset);
  check_sum(*file_, dataset, format::checksum_of(tensor.values));
  return tensor;
}

}  // namespace convoy
