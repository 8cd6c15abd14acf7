#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "base/text_list.hpp"
#include "cli/commands.hpp"
#include "cli/common_options.hpp"
#include "cli/image_file.hpp"
#include "inference/feature_maps.hpp"
#include "picture/canvas.hpp"
#include "picture/map_grid.hpp"
#include "settings/values.hpp"

namespace convoy {
namespace {

enum class Subject { filters, features };

Words<Subject> subject_words() {
  return {{"filters", Subject::filters}, {"features", Subject::features}};
}

constexpr int wanted_width = 1000;  // of a grid whose magnification is not given
constexpr int most_automatic = 32;  // magnification
constexpr std::int64_t most_pixels_drawn = 50'000'000;
constexpr int image_side = 256;  // beside feature maps, about

// Tiles of width × height values.
struct GridSize {
  int tiles, height, width;
};

int automatic_magnification(const GridSize& grid) {
  return std::clamp(wanted_width / (grid_columns(grid.tiles) * grid.width), 1, most_automatic);
}

// `requested` 0: chosen.
int magnification(int requested, const GridSize& grid) {
  if (requested == 0) return automatic_magnification(grid);
  const std::int64_t values = std::int64_t{grid.tiles} * grid.height * grid.width;
  if (values * requested * requested > most_pixels_drawn)
    fail(ExitCode::usage,
         "--magnify {}: the picture would have more than {} million pixels; use a smaller number", requested,
         most_pixels_drawn / 1'000'000);
  return requested;
}

// The convolution's weight. Throws ExitCode::usage with the layers that have filters.
const Parameter& find_filters(const TrainedModel& model, const ParameterTable& table,
                              const std::string& layer) {
  std::vector<std::string> names;
  for (const Layer& each : model.network.layers) {
    const auto* convolution = std::get_if<Convolution>(&each);
    if (convolution == nullptr) continue;
    if (convolution->name == layer) return table.find(layer, ParameterKind::weight);
    names.push_back(convolution->name);
  }
  fail(ExitCode::usage, "--layer {}: {} has no convolution of this name; its convolutions are: {}", layer,
       model.network.name, text_list(names));
}

std::string size_text(const Picture& picture) {
  return fmt::format("{} × {} pixels", picture.width, picture.height);
}

// A layer's activation and the maps of it that are drawn, in order.
struct Drawing {
  const FeatureMaps& maps;
  std::vector<int> shown;

  MapSet set() const {
    const Shape& shape = maps.activation.shape;
    return {.values = maps.values, .maps = shape.channels, .height = shape.height, .width = shape.width};
  }

  bool is_vector() const { return maps.activation.shape.height * maps.activation.shape.width == 1; }

  std::string content_text() const {
    const Shape& shape = maps.activation.shape;
    const auto [least, most] = std::minmax_element(maps.values.begin(), maps.values.end());
    const std::string what =
        is_vector() ? fmt::format("{} values", shape.channels)
                    : fmt::format("{} maps of {} × {}", shape.channels, shape.height, shape.width);
    return fmt::format("{} from {:.4g} to {:.4g}", what, *least, *most);
  }
};

class VisualizeCommand : public Command {
 public:
  std::string_view name() const override { return "visualize"; }
  std::string_view summary() const override {
    return "draw a network's filters, or its feature maps of an image";
  }
  std::string_view description() const override {
    return R"(Draws a PNG picture of a checkpoint's network. The checkpoint is sufficient: no store or configuration file is
needed.

filters:  the filters of a convolution as one grid, those of the first in colour, those of later ones one input
          channel at a time. Mid-grey is zero; brighter weights are positive, darker ones negative.
features: the activation of a layer for an image, map by map, beside the image as the network saw it; those of
          convolutions and fully connected layers behind their ReLU. Black is zero (where values are negative:
          mid-grey), white the largest value.)";
  }
  std::string_view example() const override {
    return "  convoy visualize filters --checkpoint runs/owt/checkpoints/best --output conv1.png\n"
           "  convoy visualize features --checkpoint runs/owt/checkpoints/best --layer conv3 --strongest 36 "
           "cat.jpg --output cat-conv3.png";
  }
  bool uses_ranks() const override { return false; }

  void declare(OptionTable& table) override {
    table.positional("WHAT", "filters or features", what_, true, false);
    table.positional("IMAGE", "of features: the image file", images_, false, false);
    table.group("What");
    table.add_text("checkpoint", "FILE", "the checkpoint, for example runs/owt/checkpoints/best",
                   checkpoint_);
    table.add_text("layer", "NAME",
                   "layer to draw: filters of conv1 … conv5; features also of norm1, pool1, fc6, …", layer_);
    table.add(
        "channel", "N", "of filters: the input channel to draw [conv1: all three in colour; others: 0]",
        [this](const std::string& value) { channel_ = static_cast<int>(parse_integer(value, 0, 1 << 20)); });
    table.add("strongest", "N",
              "of features: only the N maps with the largest mean, numbered, the strongest first",
              [this](const std::string& value) {
                strongest_ = static_cast<int>(parse_integer(value, 1, 1 << 20));
              });
    table.group("Picture");
    table.add_text("output", "FILE.png", "the picture; an existing file is replaced", output_);
    table.add_word<FilterScale>("scale",
                                "stretch each filter or map over its own range, or all together over one",
                                scale_, filter_scale_words());
    table.add(
        "magnify", "N", "side in pixels of the square that each value becomes [by the size of the grid]",
        [this](const std::string& value) { magnify_ = static_cast<int>(parse_integer(value, 1, 256)); });
    table.group("Machine (of features)");
    add_device_option(table, features_.device);
    add_precision_option(table, features_.precision);
    add_threads_option(table, features_.threads);
  }

  void check(const OptionTable&) override {
    subject_ = parse_subject(what_[0]);
    const bool filters = subject_ == Subject::filters;
    if (filters && !images_.empty())
      fail(ExitCode::usage,
           "convoy visualize filters: unexpected argument '{}'; filters are drawn without an image",
           images_[0]);
    if (!filters && images_.empty())
      fail(ExitCode::usage, "convoy visualize features: IMAGE is missing (the image file)");
    if (filters && strongest_ > 0)
      fail(ExitCode::usage,
           "--strongest belongs to visualize features: filters have no strength for an image");
    if (!filters && channel_ >= 0)
      fail(ExitCode::usage, "--channel belongs to visualize filters: features are drawn for all channels");
    check_checkpoint_path("visualize", checkpoint_);
    if (output_.empty()) fail(ExitCode::usage, "convoy visualize: --output FILE.png is missing");
    check_picture_path("--output", output_);
    refuse_overwriting("--output", {output_}, images_);
    if (!filters) check_precision(features_.device, features_.precision);
  }

  ExitCode run_alone(const Log&) override {
    const TrainedModel model = load_model(checkpoint_);
    if (subject_ == Subject::filters)
      draw_filters(model);
    else
      draw_features(model);
    return ExitCode::done;
  }

 private:
  static Subject parse_subject(const std::string& word) {
    try {
      return parse_word<Subject>(word, subject_words());
    } catch (const Error& error) {
      fail(ExitCode::usage, "convoy visualize: {}; see convoy visualize --help", error.what());
    }
  }

  void draw_filters(const TrainedModel& model) const {
    const ParameterTable table(model.network);
    const Parameter& weight = find_filters(model, table, layer_);
    const FilterSet set{.weights = std::span(model.parameters).subspan(weight.offset, weight.elements),
                        .filters = weight.shape[0],
                        .channels = weight.shape[1],
                        .height = weight.shape[2],
                        .width = weight.shape[3]};
    if (channel_ >= set.channels)
      fail(ExitCode::usage, "--channel {}: the filters of {} have {} input channels, 0 … {}", channel_,
           layer_, set.channels, set.channels - 1);
    const int magnify =
        magnification(magnify_, {.tiles = set.filters, .height = set.height, .width = set.width});
    const Picture picture = filter_grid(set, scale_, magnify, channel_);
    write_png(output_, picture);
    const auto [least, most] = std::minmax_element(set.weights.begin(), set.weights.end());
    const bool colour = set.channels == 3 && channel_ < 0;
    fmt::print("{} of {}: {} filters of {} × {} × {}, weights {:.4g} … {:.4g}; {}\n{}: {}\n", layer_,
               model.network.name, set.filters, set.channels, set.height, set.width, *least, *most,
               colour ? "in colour" : fmt::format("input channel {}", std::max(channel_, 0)), output_,
               size_text(picture));
  }

  void draw_features(const TrainedModel& model) const {
    const InputSpec& input = model.header.input;
    const auto square = ImageFile(images_[0]).square(input.stored_side, model.header.fit);
    const FeatureMaps maps = compute_feature_maps(model, layer_, square, features_);
    const Drawing drawing{.maps = maps, .shown = choose_maps(maps)};
    const MapSet set = drawing.set();
    const MapGridOptions options{
        .scale = scale_,
        .magnify = magnification(
            magnify_,
            {.tiles = static_cast<int>(drawing.shown.size()), .height = set.height, .width = set.width}),
        .numbered = strongest_ > 0};
    const std::string title = fmt::format("{} of {} for {}", layer_, model.network.name,
                                          std::filesystem::path(images_[0]).filename().string());
    const Picture picture = feature_picture({.image = seen_image(input, square),
                                             .grid = map_grid(set, drawing.shown, options),
                                             .title = title,
                                             .note = note_of(drawing)});
    write_png(output_, picture);
    fmt::print("{}: {}\n", title, drawing.content_text());
    if (strongest_ > 0) print_strongest(drawing);
    fmt::print("{}: {}\n", output_, size_text(picture));
  }

  // In the order in which they are drawn.
  std::vector<int> choose_maps(const FeatureMaps& maps) const {
    std::vector<int> chosen = strongest_maps(Drawing{.maps = maps, .shown = {}}.set());
    if (strongest_ > 0)
      chosen.resize(std::min(chosen.size(), static_cast<std::size_t>(strongest_)));
    else
      std::sort(chosen.begin(), chosen.end());
    return chosen;
  }

  // What the network saw, about image_side wide.
  static Picture seen_image(const InputSpec& input, std::span<const std::uint8_t> square) {
    Picture seen(input.crop_side, input.crop_side);
    seen.pixels = seen_pixels(input, square);
    return magnified(seen, std::max(image_side / input.crop_side, 1));
  }

  std::string note_of(const Drawing& drawing) const {
    std::string note = drawing.content_text();
    if (strongest_ > 0)
      note += fmt::format("; the {} {}", drawing.shown.size(),
                          drawing.is_vector() ? "largest" : "with the largest mean");
    if (!drawing.is_vector() && scale_ == FilterScale::each)
      return note + "; white: each map's own largest value";
    return note + "; white: the largest of all";
  }

  static void print_strongest(const Drawing& drawing) {
    const MapSet set = drawing.set();
    const auto size = static_cast<std::ptrdiff_t>(set.height) * set.width;
    for (const int map : drawing.shown) {
      const auto first = set.values.begin() + map * size;
      const double mean = std::accumulate(first, first + size, 0.0) / static_cast<double>(size);
      const float largest = *std::max_element(first, first + size);
      if (drawing.is_vector())
        fmt::print("  value {:>4}  {:.4g}\n", map, largest);
      else
        fmt::print("  map {:>4}  mean {:<8.4g}  largest {:.4g}\n", map, mean, largest);
    }
  }

  std::vector<std::string> what_, images_;
  std::string checkpoint_, layer_ = "conv1", output_;
  Subject subject_ = Subject::filters;
  FilterScale scale_ = FilterScale::each;
  int channel_ = -1;   // −1: colour, or the first
  int strongest_ = 0;  // 0: all, in their own order
  int magnify_ = 0;    // 0: chosen
  FeatureOptions features_;
};

}  // namespace

std::unique_ptr<Command> make_visualize_command() {
  return std::make_unique<VisualizeCommand>();
}

}  // namespace convoy
