#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>

#include "cli/commands.hpp"
#include "cli/common_options.hpp"
#include "cli/image_file.hpp"
#include "cli/picture_places.hpp"
#include "inference/prediction.hpp"
#include "picture/prediction_picture.hpp"

namespace convoy {
namespace {

// Images per forward pass: enough for full speed, few enough for memory.
constexpr std::size_t group_size = 32;
constexpr int picture_classes = 5;

// An image as it is predicted and, where pictures are wanted, as it is shown.
struct LoadedImage {
  std::vector<std::uint8_t> square;
  Picture shown;
};

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
    table.add_text("checkpoint", "FILE",
                   "the checkpoint, for example runs/owt/checkpoints/best, or weights of another program "
                   "(convoy import)",
                   checkpoint_);
    table.add_integer("top", "number of classes to print for each image", top_, 1, 1 << 20);
    table.add_flag("json", "print one JSON object per image instead of text", json_);
    table.add_text(
        "picture", "FILE.png|FOLDER",
        "also draw the image beside its five most probable classes: into this PNG file or, of any number "
        "of images, into this folder, each as NAME.png (cat.jpg.png)",
        picture_);
    table.group("Machine");
    add_device_option(table, device_);
    add_precision_option(table, precision_);
    add_threads_option(table, threads_);
  }

  void check(const OptionTable&) override {
    check_checkpoint_path(name(), checkpoint_);
    if (!picture_.empty()) places_ = picture_places(picture_, images_);
    check_precision(device_, precision_);
  }

  ExitCode run_alone(const Log& log) override {
    Predictor predictor(checkpoint_, device_, precision_, threads_);
    for (const std::string& note : predictor.notes()) log.info("{}", note);
    ExitCode code = ExitCode::done;
    for (std::size_t first = 0; first < images_.size(); first += group_size) {
      const std::size_t end = std::min(first + group_size, images_.size());
      const ExitCode of_group = predict_group(predictor, first, end, log);
      if (code == ExitCode::done) code = of_group;
    }
    return code;
  }

 private:
  // Images [first, last), of one forward pass. A bad one costs the others nothing; returns the code of the
  // first bad one.
  ExitCode predict_group(Predictor& predictor, std::size_t first, std::size_t last, const Log& log) const {
    ExitCode code = ExitCode::done;
    std::vector<std::vector<std::uint8_t>> squares;
    std::vector<Picture> shown;
    std::vector<std::string> errors(last - first);  // empty for a good image
    for (std::size_t i = first; i < last; ++i) {
      try {
        LoadedImage image = load(images_[i], predictor);
        squares.push_back(std::move(image.square));
        shown.push_back(std::move(image.shown));
      } catch (const Error& error) {
        if (error.category() == ExitCode::bug || error.category() == ExitCode::device) throw;
        errors[i - first] = error.what();
        if (code == ExitCode::done) code = error.category();
      }
    }
    const auto predictions = predictor.predict(squares, draws() ? std::max(top_, picture_classes) : top_);
    std::size_t next = 0;
    for (std::size_t i = first; i < last; ++i) {
      const std::string& error = errors[i - first];
      if (error.empty()) {
        print(images_[i], predictions[next]);
        if (draws()) draw(i, shown[next], predictions[next]);
        ++next;
      } else {
        print_error(images_[i], error);
        log.error("{}", error);
      }
    }
    return code;
  }

  bool draws() const { return !places_.empty(); }

  LoadedImage load(const std::string& path, const Predictor& predictor) const {
    const ImageFile file(path);
    LoadedImage image{.square = file.square(predictor.stored_side(), predictor.fit()), .shown = {}};
    if (draws()) image.shown = file.upright(prediction_image_side);
    return image;
  }

  void draw(std::size_t image, const Picture& shown, std::span<const Prediction> predictions) const {
    std::vector<ClassBar> bars;
    for (const Prediction& p : predictions.first(std::min<std::size_t>(picture_classes, predictions.size())))
      bars.push_back(
          {.name = p.entry.name.empty() ? p.entry.id : p.entry.name, .probability = p.probability});
    const std::string caption = std::filesystem::path(images_[image]).filename().string();
    write_png(places_[image], prediction_picture(shown, caption, bars));
  }

  void print_error(const std::string& image, const std::string& error) const {
    if (json_) print(nlohmann::json{{"image", image}, {"error", error}});
  }

  // File names need not be UTF-8.
  static void print(const nlohmann::json& object) {
    fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }

  void print(const std::string& image, std::span<const Prediction> predictions) const {
    predictions = predictions.first(std::min(predictions.size(), static_cast<std::size_t>(top_)));
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
  std::vector<std::string> places_;  // of each image its picture; none: no pictures
  std::string checkpoint_, picture_;
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
