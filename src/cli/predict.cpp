#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "cli/commands.hpp"
#include "cli/common_options.hpp"
#include "data/decode.hpp"
#include "inference/prediction.hpp"

namespace convoy {
namespace {

// Images passed through the network at once: enough for its speed, little enough for memory.
constexpr std::size_t group_size = 32;

std::vector<std::uint8_t> read_square(const std::string& path, int side) {
  if (std::filesystem::is_directory(path))
    fail(ExitCode::usage, "{} is a folder: name image files, for instance {}/*.jpg", path, path);
  const std::string bytes = read_text_file(path);
  std::vector<std::uint8_t> square(static_cast<std::size_t>(side) * side * 3);
  try {
    decode_square(std::as_bytes(std::span(bytes)), side, square);
  } catch (const Error& error) {
    fail(error.category(), "{}: {}", path, error.what());
  }
  return square;
}

class PredictCommand : public Command {
 public:
  std::string_view name() const override { return "predict"; }
  std::string_view summary() const override { return "name the classes of image files"; }
  std::string_view description() const override {
    return "Prints the most probable classes of each image (JPEG or PNG of any size) by the network of a "
           "checkpoint. The\n"
           "checkpoint is enough: no store and no configuration file is needed.";
  }
  std::string_view example() const override {
    return "  convoy predict --checkpoint runs/owt/checkpoints/best cat.jpg dog.png --top 3";
  }
  bool uses_ranks() const override { return false; }

  void declare(OptionTable& table) override {
    table.positional("IMAGE", "image files", images_, true, true);
    table.group("What");
    table.add_text("checkpoint", "FILE", "the checkpoint, for instance runs/owt/checkpoints/best",
                   checkpoint_);
    table.add_integer("top", "classes to print for each image", top_, 1, 1 << 20);
    table.add_flag("json", "print one JSON object an image instead of text", json_);
    table.group("Machine");
    add_device_option(table, device_);
    add_precision_option(table, precision_);
    add_threads_option(table, threads_);
  }

  void check(const OptionTable&) override {
    check_checkpoint_path(name(), checkpoint_);
    check_precision(device_, precision_);
  }

  ExitCode run_alone(const Log&) override {
    Predictor predictor(checkpoint_, device_, precision_, threads_);
    for (std::size_t first = 0; first < images_.size(); first += group_size) {
      const std::size_t end = std::min(first + group_size, images_.size());
      std::vector<std::vector<std::uint8_t>> squares;
      for (std::size_t i = first; i < end; ++i)
        squares.push_back(read_square(images_[i], predictor.stored_side()));
      const auto predictions = predictor.predict(squares, top_);
      for (std::size_t i = first; i < end; ++i) print(images_[i], predictions[i - first]);
    }
    return ExitCode::done;
  }

 private:
  void print(const std::string& image, const std::vector<Prediction>& predictions) const {
    if (!json_) {
      fmt::print("{}\n", image);
      for (const Prediction& p : predictions) {
        const std::string name =
            p.entry.name.empty() || p.entry.name == p.entry.id ? "" : "  " + p.entry.name;
        fmt::print("  {:6.2f} %  {}{}\n", 100 * p.probability, p.entry.id, name);
      }
      return;
    }
    nlohmann::json top = nlohmann::json::array();
    for (const Prediction& p : predictions)
      top.push_back(
          {{"id", p.entry.id}, {"name", p.entry.name}, {"index", p.index}, {"probability", p.probability}});
    const nlohmann::json object = {{"image", image}, {"top", top}};
    // File names need not be UTF-8.
    fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }

  std::vector<std::string> images_;
  std::string checkpoint_;
  int top_ = 5, threads_ = 0;
  bool json_ = false;
  DeviceKind device_ = DeviceKind::automatic;
  Precision precision_ = Precision::fp32;
};

}  // namespace

std::unique_ptr<Command> make_predict_command() {
  return std::make_unique<PredictCommand>();
}

}  // namespace convoy
