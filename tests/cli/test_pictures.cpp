// `visualize` and `predict --picture` through the real program: the pictures, what is printed, and what is
// refused.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/atomic_file.hpp"
#include "checkpoint/trained_model.hpp"
#include "data/decode.hpp"
#include "data/image_files.hpp"
#include "picture/filter_grid.hpp"
#include "picture/prediction_picture.hpp"
#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

const std::string program = CONVOY_PROGRAM;

convoy::Picture read_picture(const fs::path& path, int side = 1 << 20) {
  const std::string bytes = read_text_file(path);
  return decode_upright(std::as_bytes(std::span(bytes)), side);
}

// One checkpoint and one image for all tests of this file.
class Pictures : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    make_tiny_store(program, place("store"));
    const Outcome trained = run(tiny_training(program, place("store"), place("run"), {"--steps", "2"}));
    ASSERT_EQ(trained.code, 0) << trained.err;
    write_file(image(), jpeg_bytes({.width = 120, .height = 90}));
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string place(const std::string& name) { return *folder_ / name; }
  static std::string checkpoint() { return *folder_ / "run" / "checkpoints" / "latest"; }
  static std::string image() { return place("four colours.jpg"); }

  static Outcome visualize(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {program, "visualize"});
    arguments.insert(arguments.end(), {"--checkpoint", checkpoint()});
    return run(arguments);
  }
  static Outcome predict(const std::vector<std::string>& more) {
    std::vector<std::string> arguments{program, "predict", "--checkpoint", checkpoint(), "--device", "cpu"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  static void expect_filters(const std::string& layer, const std::vector<std::string>& options,
                             FilterScale scale, int magnify, int channel) {
    const std::string output = place(layer + ".png");
    std::vector<std::string> arguments{"filters", "--layer", layer, "--output", output};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome outcome = visualize(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const TrainedModel model = load_model(checkpoint());
    const ParameterTable table(model.network);
    const Parameter& weight = table.find(layer, ParameterKind::weight);
    const FilterSet set{.weights = std::span(model.parameters).subspan(weight.offset, weight.elements),
                        .filters = weight.shape[0],
                        .channels = weight.shape[1],
                        .height = weight.shape[2],
                        .width = weight.shape[3]};
    const convoy::Picture expected = filter_grid(set, scale, magnify, channel);
    const convoy::Picture found = read_picture(output);
    EXPECT_EQ(found.width, expected.width);
    EXPECT_EQ(found.pixels, expected.pixels);
  }

 private:
  inline static std::unique_ptr<TemporaryFolder> folder_;
};

TEST_F(Pictures, FiltersAreThoseOfTheCheckpoint) {
  expect_filters("conv1", {"--magnify", "3"}, FilterScale::each, 3, -1);
  expect_filters("conv1", {"--magnify", "2", "--scale", "together"}, FilterScale::together, 2, -1);
  expect_filters("conv1", {"--magnify", "2", "--channel", "1"}, FilterScale::each, 2, 1);
  expect_filters("conv4", {"--magnify", "5", "--channel", "127"}, FilterScale::each, 5, 127);
  expect_filters("conv4", {"--magnify", "5"}, FilterScale::each, 5, 0);
  const Outcome plain = visualize({"filters", "--output", place("plain.png")});
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_NE(plain.out.find("conv1 of alexnet-mini: 48 filters of 3 × 5 × 5"), std::string::npos) << plain.out;
  EXPECT_GT(read_picture(place("plain.png")).width, 600) << "magnified by itself";
}

TEST_F(Pictures, FeaturesOfEveryLayerAreDrawn) {
  for (const std::string layer : {"conv1", "pool1", "conv5", "pool5", "fc6", "fc8"}) {
    const std::string output = place("features-" + layer + ".png");
    const Outcome outcome =
        visualize({"features", image(), "--layer", layer, "--output", output, "--device", "cpu"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(outcome.out.starts_with(layer + " of alexnet-mini for four colours.jpg: ")) << outcome.out;
    EXPECT_GT(read_picture(output).width, 256);
  }
}

TEST_F(Pictures, TheStrongestMapsComeFirst) {
  const Outcome outcome =
      visualize({"features", image(), "--strongest", "5", "--output", place("strong.png")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::vector<double> means;
  for (std::string line; std::getline(lines, line);) {
    if (const auto at = line.find("mean "); line.starts_with("  map ") && at != std::string::npos)
      means.push_back(std::stod(line.substr(at + 5)));
  }
  ASSERT_EQ(means.size(), 5U) << outcome.out;
  EXPECT_TRUE(std::is_sorted(means.rbegin(), means.rend()));
  EXPECT_GT(means.front(), means.back());
}

TEST_F(Pictures, APredictionIsDrawnAsItIsPrinted) {
  const std::string output = place("prediction.png");
  const Outcome printed = predict({image(), "--json", "--top", "2"});
  const Outcome drawn = predict({image(), "--json", "--top", "2", "--picture", output});
  EXPECT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_EQ(drawn.out, printed.out);
  const Outcome all = predict({image(), "--json"});
  std::vector<ClassBar> bars;
  const auto answer = nlohmann::json::parse(all.out);
  for (const auto& each : answer["top"]) {
    const std::string name = each["name"];
    bars.push_back(
        {.name = name.empty() ? std::string(each["id"]) : name, .probability = each["probability"]});
  }
  ASSERT_EQ(bars.size(), 4U) << "all classes where there are fewer than five";
  const convoy::Picture expected =
      prediction_picture(read_picture(image(), prediction_image_side), "four colours.jpg", bars);
  EXPECT_EQ(read_picture(output).pixels, expected.pixels);
}

TEST_F(Pictures, PredictionsOfManyImagesGoIntoAFolder) {
  const std::string pictures = place("pictures"), other = place("other.png"), text = place("text.jpg");
  fs::create_directory(pictures);
  write_file(other, png_bytes(Quadrants{}));
  write_file(text, "no image");
  const Outcome outcome = predict({image(), text, other, image(), "--picture", pictures});
  EXPECT_EQ(outcome.code, 65) << outcome.err;
  EXPECT_TRUE(fs::exists(pictures + "/four colours.jpg.png"));
  EXPECT_TRUE(fs::exists(pictures + "/other.png.png"));
  EXPECT_FALSE(fs::exists(pictures + "/text.jpg.png"));
}

struct Refusal {
  std::vector<std::string> arguments;
  int code;
  std::vector<std::string> parts;
};

void expect_refused(const Outcome& outcome, const Refusal& refusal) {
  SCOPED_TRACE(refusal.arguments.back());
  EXPECT_EQ(outcome.code, refusal.code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  for (const std::string& part : refusal.parts)
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part << "\n" << outcome.err;
}

TEST_F(Pictures, WhatVisualizeCannotDrawIsRefused) {
  const std::string png = place("refused.png"), copy = place("copy.png");
  write_file(copy, png_bytes(Quadrants{}));
  const std::vector<Refusal> refusals{
      {{"filtres", "--output", png}, 64, {"filters, features", "did you mean filters?"}},
      {{"filters"}, 64, {"--output FILE.png is missing"}},
      {{"filters", "--output", place("a.jpg")}, 64, {"a.jpg", ".png"}},
      {{"filters", "--output", place("none") + "/a.png"}, 74, {"the folder", "none does not exist"}},
      {{"filters", "--output", place("run")}, 64, {"is a folder"}},
      {{"filters", "--output", png, "--layer", "fc6"}, 64, {"conv1, conv2, conv3, conv4, conv5"}},
      {{"filters", "--output", png, "--channel", "3"}, 64, {"conv1 have 3 input channels, 0 … 2"}},
      {{"filters", "--output", png, "--layer", "conv4", "--magnify", "256"}, 64, {"--magnify 256"}},
      {{"filters", "--output", png, image()}, 64, {"filters are drawn without an image"}},
      {{"filters", "--output", png, "--strongest", "2"}, 64, {"--strongest belongs to visualize features"}},
      {{"features", "--output", png}, 64, {"IMAGE is missing"}},
      {{"features", "--output", png, image(), image()}, 64, {"unexpected argument"}},
      {{"features", "--output", png, "--layer", "norm1", image()}, 64, {"no layer 'norm1'", "pool1, conv2"}},
      {{"features", "--output", png, "--channel", "1", image()},
       64,
       {"--channel belongs to visualize filters"}},
      {{"features", "--output", copy, copy}, 64, {"would be overwritten"}},
      {{"features", "--output", png, place("none.jpg")}, 74, {"none.jpg", "No such file"}},
      {{"features", "--output", png, checkpoint()}, 65, {"neither JPEG nor PNG"}}};
  for (const Refusal& refusal : refusals) expect_refused(visualize(refusal.arguments), refusal);
  EXPECT_FALSE(fs::exists(png));
}

TEST_F(Pictures, WherePredictCannotDrawIsRefusedBeforeItPredicts) {
  const std::string copy = place("copy.png"), same = place("deeper/copy.png");
  write_file(copy, png_bytes(Quadrants{}));
  write_file(same, png_bytes(Quadrants{}));
  const std::vector<Refusal> refusals{
      {{image(), "--picture", place("none") + "/a.png"}, 74, {"the folder", "none does not exist"}},
      {{image(), "--picture", place("a.gif")}, 64, {"a.gif", ".png"}},
      {{image(), copy, "--picture", place("a.png")}, 64, {"2 images need a folder"}},
      {{copy, "--picture", copy}, 64, {"would be overwritten"}},
      {{copy, same, "--picture", place("run")}, 64, {"would both become"}}};
  for (const Refusal& refusal : refusals) expect_refused(predict(refusal.arguments), refusal);
}

// A limit on the size of files is a full disk.
TEST_F(Pictures, APictureThatDoesNotFitLeavesNothing) {
  fs::create_directory(place("full"));
  for (const std::string command :
       {"visualize filters --output", "visualize features four.jpg --output", "predict four.jpg --picture"}) {
    fs::copy_file(image(), place("four.jpg"), fs::copy_options::skip_existing);
    const Outcome outcome = run({"sh", "-c",
                                 "cd \"$0\" && ulimit -f 2 && exec " + program + " " + command +
                                     " full/a.png --checkpoint run/checkpoints/latest",
                                 place("")});
    EXPECT_EQ(outcome.code, 74) << outcome.err;
    EXPECT_NE(outcome.err.find("File too large"), std::string::npos) << outcome.err;
    EXPECT_TRUE(fs::is_empty(place("full"))) << command;
  }
}

}  // namespace
}  // namespace convoy::test
