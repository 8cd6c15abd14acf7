#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>

#include "base/text_list.hpp"
#include "checkpoint/trained_model.hpp"
#include "cli/commands.hpp"
#include "cli/common_options.hpp"
#include "foreign/convoy_metadata.hpp"
#include "foreign/safetensors.hpp"
#include "foreign/tensor_names.hpp"
#include "foreign/torch_file.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

enum class ExportFormat { pth, safetensors };

constexpr const char* format_list = "X.pth (PyTorch) or X.safetensors";

// The names of --names; nothing: usual_names.
Words<std::optional<TensorNames>> names_words() {
  Words<std::optional<TensorNames>> words{{"auto", std::nullopt}};
  for (const auto& [word, names] : tensor_names_words()) words.emplace_back(word, names);
  return words;
}

std::vector<NamedTensor> named_tensors(const TrainedModel& model, TensorNames names) {
  const ParameterTable table(model.network);
  std::vector<NamedTensor> tensors;
  for (const TensorName& name : tensor_names(names)) {
    const auto parameter = std::ranges::find(table.parameters(), name.parameter, &Parameter::path);
    ensure(parameter != table.parameters().end(), "every network has the layers of the table of names");
    const auto begin = model.parameters.begin() + static_cast<std::ptrdiff_t>(parameter->offset);
    tensors.push_back({name.foreign,
                       {parameter->shape.begin(), parameter->shape.end()},
                       {begin, begin + static_cast<std::ptrdiff_t>(parameter->elements)}});
  }
  return tensors;
}

bool has_mean_image(const InputSpec& input) {
  return input.mean.size() > 3;
}

// What a state dict has no place for.
SafetensorsMetadata metadata_of(const CheckpointHeader& header) {
  ConvoyMetadata content{.model = header.model, .classes = header.classes, .input = {}};
  if (!has_mean_image(header.input)) content.input = ForeignInput{header.input, header.fit};
  return to_metadata(content);
}

template <typename Numbers>
std::string joined(const Numbers& numbers, const char* separator) {
  std::vector<std::string> texts;
  texts.reserve(numbers.size());
  for (const auto number : numbers) texts.push_back(fmt::format("{:.5g}", static_cast<double>(number)));
  return text_list(texts, separator);
}

class ExportCommand : public Command {
 public:
  std::string_view name() const override { return "export"; }
  std::string_view summary() const override { return "write a checkpoint's weights for PyTorch"; }
  std::string_view description() const override {
    return R"(Writes the weights of a checkpoint as a state dict, float32, bit for bit: as a file of torch.save (.pth) or
as safetensors (.safetensors), which also holds the model's name, the classes and the preparation of its input.

Names of the tensors (--names):
  torchvision  features.0.weight … classifier.6.bias, as in torchvision.models.alexnet
  caffe        conv1.weight … fc8.bias
  auto         torchvision for alexnet-owt, which load_state_dict then takes; caffe for the other networks)";
  }
  std::string_view example() const override {
    return R"(  convoy export runs/owt/checkpoints/best --output alexnet.pth
  python3 -c 'import torch, torchvision
  model = torchvision.models.alexnet()
  model.load_state_dict(torch.load("alexnet.pth", weights_only=True))')";
  }
  bool uses_ranks() const override { return false; }

  void declare(OptionTable& table) override {
    table.positional("CHECKPOINT", "the checkpoint, for example runs/owt/checkpoints/best", checkpoint_, true,
                     false);
    table.group("What");
    table.add("output", "FILE", fmt::format("the file to write: {}", format_list),
              [this](const std::string& value) { output_ = value; });
    table.add_word("names", "names of the tensors, see above", names_, names_words());
  }

  void check(const OptionTable&) override {
    if (output_.empty()) fail(ExitCode::usage, "convoy export: --output FILE is missing: {}", format_list);
    const std::string extension = output_.extension().string();
    if (extension != ".pth" && extension != ".safetensors")
      fail(ExitCode::usage, "--output {}: the format follows from the extension: use {}", output_.string(),
           format_list);
    format_ = extension == ".pth" ? ExportFormat::pth : ExportFormat::safetensors;
    refuse_folder("CHECKPOINT", checkpoint_[0]);
    std::error_code unreadable;  // writing reports the reason
    if (fs::is_directory(output_, unreadable))
      fail(ExitCode::usage, "--output {} is a folder: pass the name of a file", output_.string());
  }

  ExitCode run_alone(const Log&) override {
    const TrainedModel model = load_model(checkpoint_[0]);
    const TensorNames names = names_ ? *names_ : usual_names(model.header.model);
    const std::vector<NamedTensor> tensors = named_tensors(model, names);
    if (format_ == ExportFormat::pth)
      write_torch_zip(output_, tensors);
    else
      write_safetensors(output_, tensors, metadata_of(model.header));
    print(model.header, tensors, names);
    return ExitCode::done;
  }

 private:
  void print(const CheckpointHeader& header, const std::vector<NamedTensor>& tensors,
             TensorNames names) const {
    std::uint64_t numbers = 0;
    for (const NamedTensor& tensor : tensors) {
      fmt::print("  {:<20} {}\n", tensor.name, joined(tensor.shape, " × "));
      numbers += tensor.values.size();
    }
    fmt::print("{}: {} of {} classes, {} tensors under {} names, {} numbers, {} bytes\n", output_.string(),
               header.model, header.classes.size(), tensors.size(),
               names == TensorNames::torchvision ? "torchvision's" : "Caffe's", numbers,
               fs::file_size(output_));
    print_input(header.input);
  }

  // What the network expects of an image, which the weights alone do not tell: in the terms of torchvision's
  // transforms, for pixels of 0 … 1.
  static void print_input(const InputSpec& input) {
    fmt::print("input: RGB, Resize({}), CenterCrop({}), ", input.stored_side, input.crop_side);
    if (has_mean_image(input)) {
      fmt::print("minus the mean image, which only the checkpoint holds; times {}\n",
                 joined(std::span(input.scale), ", "));
      return;
    }
    constexpr double brightest = 255;
    std::vector<double> mean, deviation;
    for (const float value : input.mean) mean.push_back(value / brightest);
    for (const float value : input.scale) deviation.push_back(1 / (brightest * value));
    fmt::print("Normalize(mean=[{}], std=[{}])\n", joined(mean, ", "), joined(deviation, ", "));
  }

  std::vector<std::string> checkpoint_;
  fs::path output_;
  ExportFormat format_ = ExportFormat::pth;
  std::optional<TensorNames> names_;
};

}  // namespace

std::unique_ptr<Command> make_export_command() {
  return std::make_unique<ExportCommand>();
}

}  // namespace convoy
