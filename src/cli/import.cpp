#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/error.hpp"
#include "base/text_list.hpp"
#include "checkpoint/weights_file.hpp"
#include "cli/commands.hpp"
#include "foreign/foreign_error.hpp"
#include "foreign/shape_text.hpp"
#include "sources/class_list.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

// One number for all channels, or three separated by commas.
Channels parse_channels(const std::string& text, const Bounds& bounds) {
  const std::vector<std::string> parts = split_list(text, ',');
  if (parts.size() != 1 && parts.size() != 3)
    fail(ExitCode::usage, "'{}' is neither one number nor three (red, green, blue) separated by commas",
         text);
  Channels channels{};
  for (std::size_t i = 0; i < channels.size(); ++i)
    channels[i] = parse_real(parts.size() == 1 ? parts[0] : parts[i], bounds);
  return channels;
}

// Whether the value of --mean is numbers and not the name of a file.
bool are_numbers(const std::string& text) {
  return text.find_first_not_of("0123456789.,+-eE/ ") == text.npos &&
         text.find_first_of("0123456789") != text.npos;
}

// The classes that --classes names: those of a store, or of a list.
std::vector<ClassEntry> read_classes(const fs::path& path) {
  std::error_code unknown;  // reading says why
  if (fs::is_directory(path, unknown)) return parse_store(read_store_text(path), path).classes;
  return read_output_classes(path);
}

// Columns that a text of UTF-8 takes on a terminal, if none of its characters is wide.
std::size_t columns_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

void print_mapping(const ForeignModel& model) {
  std::size_t widest_name = 0;
  std::size_t widest_shape = 0;
  for (const auto& [index, parameter] : model.match.pairs) {
    widest_name = std::max(widest_name, columns_of(readable(model.tensors[index].name)));
    widest_shape = std::max(widest_shape, columns_of(shape_text(model.tensors[index].shape)));
  }
  for (const auto& [index, parameter] : model.match.pairs) {
    const NamedTensor& tensor = model.tensors[index];
    fmt::print("  {:<{}}  {:<{}}  {:<8}  {}\n", readable(tensor.name), widest_name, shape_text(tensor.shape),
               widest_shape, tensor.type, parameter);
  }
}

class ImportCommand : public Command {
 public:
  std::string_view name() const override { return "import"; }
  std::string_view summary() const override {
    return "make a checkpoint from PyTorch, safetensors or Caffe weights";
  }
  std::string_view description() const override {
    return R"(Reads the weights of an AlexNet from a state dict of PyTorch (.pth, .pt), from safetensors or from a
.caffemodel, recognises the network by the shapes, prints which tensor became which parameter, and writes a
checkpoint for evaluate, predict and train --weights. Without options these also take the file itself.

The files do not say how images are prepared or what the classes are called. Unless options say otherwise,
images are prepared as torchvision does (Caffe's: both sides to 256, minus ImageNet's mean, and the scale in
the file), and 1000 outputs are ImageNet's classes.)";
  }
  std::string_view example() const override {
    return "  convoy import alexnet-owt-7be5be79.pth --output alexnet.h5\n"
           "  convoy import bvlc_alexnet.caffemodel --mean imagenet_mean.binaryproto --output caffe.h5\n"
           "  convoy import flowers.pth --model alexnet-ungrouped --classes flowers.txt --output flowers.h5";
  }
  bool uses_ranks() const override { return false; }

  void declare(OptionTable& table) override {
    table.positional("FILE", "the file with the weights", files_, true, false);
    table.group("What");
    table.add_text("output", "CHECKPOINT", "the checkpoint to write, for example alexnet.h5", output_);
    table.add_flag("replace", "overwrite --output if it exists", replace_);
    table.add_text("model", "NAME", "the network (convoy models lists them), if several have these shapes",
                   options_.network);
    table.add_text("classes", "FILE|STORE",
                   "names of the outputs: a list with one class per line (a name, or an id and words), or a "
                   "store with these classes",
                   classes_);
    table.add_flag("ignore-extra", "leave out tensors that the network does not have", options_.ignore_extra);
    declare_images(table);
  }

  void check(const OptionTable&) override {
    if (output_.empty()) fail(ExitCode::usage, "convoy import: --output CHECKPOINT is missing");
    std::error_code unknown;  // writing says why
    if (fs::is_directory(output_, unknown))
      fail(ExitCode::usage, "--output {} is a folder: name a file in it, such as {}", output_,
           (fs::path(output_) / "alexnet.h5").string());
    if (!replace_ && fs::exists(output_, unknown))
      fail(ExitCode::usage, "--output {} exists: choose another name, or pass --replace to overwrite it",
           output_);
    if (!mean_.empty() && are_numbers(mean_))
      options_.input.mean = parse_mean();
    else
      options_.input.mean_file = mean_;
  }

  ExitCode run_alone(const Log& log) override {
    const fs::path file = files_.front();
    if (!foreign_format(file)) refuse_format(file);
    ForeignModel model = read_foreign_model(file, options_);
    if (!classes_.empty()) model.classes = take_classes(model.match.classes);
    for (const std::string& note : model.notes) log.warn("{}: {}", file.string(), note);
    fmt::print("{}: {}\n", file.string(), summary_of(model));
    print_mapping(model);
    const Checkpoint checkpoint{
        .header = header_of(model), .parameters = std::move(model.parameters), .optimizer = {}};
    write_checkpoint(output_, ParameterTable(model.network), checkpoint);
    fmt::print("written: {} ({})\n", output_, classes_text(checkpoint.header.classes));
    return ExitCode::done;
  }

 private:
  void declare_images(OptionTable& table) {
    table.group("Images");
    table.add_text(
        "mean", "R,G,B|FILE",
        "what is subtracted from pixels: numbers for pixels of 0…1 or, if any number of --mean and "
        "--deviation is above 1, of 0…255; or Caffe's mean.binaryproto [torchvision's or Caffe's]",
        mean_);
    table.add("deviation", "R,G,B", "what they are divided by then [torchvision's]",
              [this](const std::string& value) {
                options_.input.deviation = parse_channels(value, factor_bounds);
              });
    table.add(
        "scale", "F", "instead of --deviation: the factor for pixels of 0…255, such as 1/255 [Caffe's: 1]",
        [this](const std::string& value) { options_.input.scale = parse_channels(value, factor_bounds); });
    table.add_integer("resize", "side to which images are resized; 0: the network's usual one, mostly 256",
                      options_.input.stored_side, 0, largest_side);
    table.add_integer("crop", "side of the network's input, cut from their centre; 0: the network's own",
                      options_.input.crop_side, 0, largest_side);
    table.add("fit", "cut|warp|pad",
              "which side is resized: the shorter (cut), both (warp), the longer (pad) [cut; Caffe's: warp]",
              [this](const std::string& value) {
                options_.input.fit = parse_word<Fit>(trimmed(value), fit_words());
              });
  }

  Channels parse_mean() const {
    try {
      return parse_channels(mean_, {.least = -255, .most = 255});
    } catch (const Error& error) {
      fail(error.category(), "--mean: {}", error.what());
    }
  }

  [[noreturn]] static void refuse_format(const fs::path& file) {
    fail(ExitCode::bad_data,
         "{} is neither a state dict of PyTorch, nor safetensors, nor a .caffemodel; checkpoints of Convoy "
         "need "
         "no import",
         file.string());
  }

  std::vector<ClassEntry> take_classes(int outputs) const {
    std::vector<ClassEntry> classes = read_classes(classes_);
    if (static_cast<int>(classes.size()) != outputs)
      fail(ExitCode::usage, "--classes {}: it has {} classes, the network {} outputs", classes_,
           classes.size(), outputs);
    return classes;
  }

  static std::string classes_text(const std::vector<ClassEntry>& classes) {
    const auto name = [](const ClassEntry& entry) { return entry.name.empty() ? entry.id : entry.name; };
    return fmt::format("classes: {} … {}", name(classes.front()), name(classes.back()));
  }

  static constexpr int largest_side = 65'536;
  static constexpr Bounds factor_bounds{.least = 1e-9};

  std::vector<std::string> files_;
  std::string output_, classes_, mean_;
  bool replace_ = false;
  ForeignOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_import_command() {
  return std::make_unique<ImportCommand>();
}

}  // namespace convoy
