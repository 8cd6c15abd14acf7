#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>

#include "base/file_descriptor.hpp"
#include "cli/commands.hpp"
#include "cli/common_options.hpp"
#include "data/decode.hpp"
#include "inference/prediction.hpp"

namespace convoy {
namespace {

// Images per forward pass: enough for full speed, few enough for memory.
constexpr std::size_t group_size = 32;

std::vector<std::uint8_t> read_square(const std::string& path, int side, Fit fit) {
  std::error_code unknown;  // opening the file reports the reason
  if (std::filesystem::is_directory(path, unknown))
    fail(ExitCode::usage, "{} is a folder: pass image files, for example {}/*.jpg", path, path);
  const std::string bytes = read_file_or_pipe(path);
  std::vector<std::uint8_t> square(static_cast<std::size_t>(side) * side * 3);
  try {
    decode_square(std::as_bytes(std::span(bytes)), side, fit, square);
  } catch (const Error& error) {
    fail(error.category(), "{}: {}", path, error.what());
  }
  return square;
}

class PredictCommand : public Command {
 public:
  std::string_view name() const override { return "predict"; }
  std::string_view summary() const override { return "predict the classes of image files"; }
  std::string_view description() const override {
    return R"(Prints the most probable classes of each image (JPEG or PNG of any size), predicted by the network of a
checkpoint. The checkpoint is sufficient: no store or configuration file is needed. Files that cannot be used
are named on standard error, and the exit code is that of the first one.)";
  }
  std::string_view example() const override {
    return "  convoy predict --checkpoint runs/owt/checkpoints/best cat.jpg dog.png --top 3";
  }
  bool uses_ranks() const override { return false; }

  void declare(OptionTable& table) override {
    table.positional("IMAGE", "image files", images_, true, true);
    table.group("What");
    table.add_text("checkpoint", "FILE", "the checkpoint, for example runs/owt/checkpoints/best",
                   checkpoint_);
    table.add_integer("top", "number of classes to print for each image", top_, 1, 1 << 20);
    table.add_flag("json", "print one JSON object per image instead of text", json_);
    table.group("Machine");
    add_device_option(table, device_);
    add_precision_option(table, precision_);
    add_threads_option(table, threads_);
  }

  void check(const OptionTable&) override {
    check_checkpoint_path(name(), checkpoint_);
    check_precision(device_, precision_);
  }

  ExitCode run_alone(const Log& log) override {
    Predictor predictor(checkpoint_, device_, precision_, threads_);
    ExitCode code = ExitCode::done;
    for (std::size_t first = 0; first < images_.size(); first += group_size) {
      const std::size_t end = std::min(first + group_size, images_.size());
      const ExitCode of_group = predict_group(predictor, std::span(images_).subspan(first, end - first), log);
      if (code == ExitCode::done) code = of_group;
    }
    return code;
  }

 private:
  // Images of one forward pass. A bad one costs the others nothing; returns the code of the first bad one.
  ExitCode predict_group(Predictor& predictor, std::span<const std::string> images, const Log& log) const {
    ExitCode code = ExitCode::done;
    std::vector<std::vector<std::uint8_t>> squares;
    std::vector<std::string> errors(images.size());  // empty for a good image
    for (std::size_t i = 0; i < images.size(); ++i) {
      try {
        squares.push_back(read_square(images[i], predictor.stored_side(), predictor.fit()));
      } catch (const Error& error) {
        if (error.category() == ExitCode::bug || error.category() == ExitCode::device) throw;
        errors[i] = error.what();
        if (code == ExitCode::done) code = error.category();
      }
    }
    const auto predictions = predictor.predict(squares, top_);
    auto next = predictions.begin();
    for (std::size_t i = 0; i < images.size(); ++i) {
      if (errors[i].empty()) {
        print(images[i], *next++);
      } else {
        print_error(images[i], errors[i]);
        log.error("{}", errors[i]);
      }
    }
    return code;
  }

  void print_error(const std::string& image, const std::string& error) const {
    if (json_) print(nlohmann::json{{"image", image}, {"error", error}});
  }

  // File names need not be UTF-8.
  static void print(const nlohmann::json& object) {
    fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }

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
    print(nlohmann::json{{"image", image}, {"top", top}});
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
