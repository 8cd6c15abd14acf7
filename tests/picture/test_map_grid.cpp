#include <gtest/gtest.h>

#include <limits>

#include "base/error.hpp"
#include "picture/map_grid.hpp"
#include "picture/palette.hpp"
#include "picture/prediction_picture.hpp"
#include "picture/text.hpp"
#include "support/expect_error.hpp"

namespace convoy {
namespace {

Colour colour_at(const Picture& picture, int x, int y) {
  const std::uint8_t* pixel = picture.at(x, y);
  return {.red = pixel[0], .green = pixel[1], .blue = pixel[2]};
}

Colour grey(std::uint8_t value) {
  return {.red = value, .green = value, .blue = value};
}

// Three maps of 1 × 2.
const std::vector<float> values{0, 2, 4, 8, 1, 0};
const MapSet maps{.values = values, .maps = 3, .height = 1, .width = 2};

TEST(MapGrid, TheStrongestHaveTheLargestMean) {
  EXPECT_EQ(strongest_maps(maps), (std::vector<int>{1, 0, 2}));
  const std::vector<float> others{1, 1, std::numeric_limits<float>::quiet_NaN(), 9, 0, 2};
  EXPECT_EQ(strongest_maps({.values = others, .maps = 3, .height = 1, .width = 2}),
            (std::vector<int>{0, 2, 1}))
      << "equal ones by number, those that are not finite last";
}

TEST(MapGrid, WhiteIsTheLargestOfTheMapOrOfAll) {
  const std::vector<int> shown{1, 0};
  const Picture each = map_grid(maps, shown, {});
  ASSERT_EQ(each.width, 2 + 2 + 2 + 2 + 2);
  ASSERT_EQ(each.height, 2 + 1 + 2);
  EXPECT_EQ(colour_at(each, 1, 2), between_tiles);
  EXPECT_EQ(colour_at(each, 2, 2), grey(128));  // 4 of 8
  EXPECT_EQ(colour_at(each, 3, 2), grey(255));
  EXPECT_EQ(colour_at(each, 6, 2), grey(0));
  EXPECT_EQ(colour_at(each, 7, 2), grey(255));
  const Picture together = map_grid(maps, shown, {.scale = FilterScale::together});
  EXPECT_EQ(colour_at(together, 3, 2), grey(255));
  EXPECT_EQ(colour_at(together, 7, 2), grey(64));  // 2 of 8
}

TEST(MapGrid, AnyNegativeValueMakesZeroGrey) {
  const std::vector<float> scores{-4, 0, 2, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<int> shown{0, 1, 2, 3};
  const Picture grid =
      map_grid({.values = scores, .maps = 4, .height = 1, .width = 1}, shown, {.magnify = 2});
  EXPECT_EQ(colour_at(grid, 1, 1), grey(0));
  EXPECT_EQ(colour_at(grid, 4, 1), grey(128));
  EXPECT_EQ(colour_at(grid, 1, 4), grey(191)) << "values of one unit each are drawn over one range";
  EXPECT_EQ(colour_at(grid, 5, 5), (Colour{.red = 255, .green = 0, .blue = 255}));
}

TEST(MapGrid, NumbersStandBelowWhereTheyFit) {
  const std::vector<int> shown{2};
  const Picture without = map_grid(maps, shown, {.magnify = 20});
  const Picture with = map_grid(maps, shown, {.magnify = 20, .numbered = true});
  EXPECT_EQ(with.width, without.width);
  EXPECT_GT(with.height, without.height);
  EXPECT_EQ(colour_at(with, 2, 2), grey(255));
  EXPECT_EQ(map_grid(maps, shown, {.magnify = 2, .numbered = true}).height,
            map_grid(maps, shown, {.magnify = 2}).height);
  test::expect_error(ExitCode::bug, {"map"}, [] {
    const std::vector<int> missing{3};
    map_grid(maps, missing, {});
  });
}

TEST(FeaturePicture, HoldsImageAndGridAsTheyAre) {
  const Picture image(30, 20, {.red = 1, .green = 2, .blue = 3}),
      grid(50, 60, {.red = 9, .green = 8, .blue = 7});
  const Picture picture =
      feature_picture({.image = image, .grid = grid, .title = std::string(300, 'w'), .note = "note"});
  EXPECT_LE(picture.width, 1000) << "a title is cut rather than widening the picture without end";
  int of_image = 0, of_grid = 0;
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      of_image += colour_at(picture, x, y) == (Colour{.red = 1, .green = 2, .blue = 3});
      of_grid += colour_at(picture, x, y) == (Colour{.red = 9, .green = 8, .blue = 7});
    }
  }
  EXPECT_EQ(of_image, 30 * 20);
  EXPECT_EQ(of_grid, 50 * 60);
}

// Pixels of the bars' colour in each row that has any.
std::vector<int> bar_lengths(const Picture& picture) {
  std::vector<int> lengths;
  for (int y = 0; y < picture.height; ++y) {
    int length = 0;
    for (int x = 0; x < picture.width; ++x) length += colour_at(picture, x, y) == bar_colour;
    if (length > 0) lengths.push_back(length);
  }
  return lengths;
}

TEST(PredictionPicture, BarsAreAsLongAsTheirProbability) {
  const Picture image(300, 200, {.red = 250, .green = 1, .blue = 1});
  const std::vector<ClassBar> bars{{.name = "cat", .probability = 0.5},
                                   {.name = std::string(500, 'x'), .probability = 0.25},
                                   {.name = "犬 \xFF", .probability = 1e-9},
                                   {.name = "", .probability = 0}};
  const std::vector<int> lengths = bar_lengths(prediction_picture(image, "cat.jpg", bars));
  ASSERT_FALSE(lengths.empty());
  const auto rows = static_cast<std::ptrdiff_t>(lengths.size() / 3);  // of a bar; the last one is empty
  ASSERT_EQ(lengths.size() % 3, 0U);
  EXPECT_EQ(lengths[0], 2 * lengths[static_cast<std::size_t>(rows)]);
  EXPECT_EQ(lengths.back(), 1);
}

TEST(PredictionPicture, SmallImagesAreMagnifiedAndLargeOnesStayWhole) {
  const Colour red{.red = 250, .green = 1, .blue = 1};
  const std::vector<ClassBar> bars{{.name = "a", .probability = 1}};
  for (const auto& [width, height, factor] : {std::tuple{32, 32, 13}, {400, 50, 1}, {20, 700, 1}}) {
    const Picture picture = prediction_picture(Picture(width, height, red), "", bars);
    int found = 0;
    for (int y = 0; y < picture.height; ++y) {
      for (int x = 0; x < picture.width; ++x) found += colour_at(picture, x, y) == red;
    }
    EXPECT_EQ(found, width * height * factor * factor);
  }
}

}  // namespace
}  // namespace convoy
