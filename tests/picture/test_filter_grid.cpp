#include <gtest/gtest.h>

#include <limits>

#include "picture/canvas.hpp"
#include "picture/filter_grid.hpp"
#include "support/expect_error.hpp"

namespace convoy {
namespace {

Colour colour_at(const Picture& picture, int x, int y) {
  const std::uint8_t* pixel = picture.at(x, y);
  return {.red = pixel[0], .green = pixel[1], .blue = pixel[2]};
}

constexpr Colour white{.red = 255, .green = 255, .blue = 255};

Colour grey(std::uint8_t value) {
  return {.red = value, .green = value, .blue = value};
}

TEST(GridColumns, FillTheLastRowWhereTheyCan) {
  EXPECT_EQ(grid_columns(1), 1);
  EXPECT_EQ(grid_columns(2), 2);
  EXPECT_EQ(grid_columns(48), 8);
  EXPECT_EQ(grid_columns(64), 8);
  EXPECT_EQ(grid_columns(96), 12);
  EXPECT_EQ(grid_columns(256), 16);
  EXPECT_EQ(grid_columns(384), 24);
  EXPECT_EQ(grid_columns(5), 3);  // no divisor near: a gap in the last row
}

TEST(Canvas, WhatLiesOutsideIsCutOff) {
  Picture picture(4, 3);
  fill_rectangle(picture, -2, 1, 3, 10, white);
  EXPECT_EQ(colour_at(picture, 0, 0), Colour{});
  EXPECT_EQ(colour_at(picture, 0, 2), white);
  EXPECT_EQ(colour_at(picture, 1, 2), Colour{});
  const Picture part(3, 3, white);
  paste(picture, part, 3, -2);
  EXPECT_EQ(colour_at(picture, 3, 0), white);
  EXPECT_EQ(colour_at(picture, 3, 1), Colour{});
  const Picture before = picture;
  paste(picture, part, 4, 0);
  paste(picture, part, -3, 0);
  paste(picture, part, 0, 3);
  paste(picture, part, 0, -3);
  EXPECT_EQ(picture.pixels, before.pixels);
}

TEST(FilterGrid, ChannelsAreTheColoursAndZeroIsGrey) {
  // Two filters of 1 × 2: the first (1, 0.5, -1) and zeros, the second 0.25 of blue and zeros.
  const std::vector<float> weights{1, 0, 0.5, 0, -1, 0, 0, 0, 0, 0, 0, 0.25};
  const FilterSet set{.weights = weights, .filters = 2, .channels = 3, .height = 1, .width = 2};
  const Picture grid = filter_grid(set, FilterScale::together, 3);
  ASSERT_EQ(grid.width, 2 + 6 + 2 + 6 + 2);
  ASSERT_EQ(grid.height, 2 + 3 + 2);
  EXPECT_EQ(colour_at(grid, 1, 3), white);
  for (const int x : {2, 4}) {
    for (const int y : {2, 4})
      EXPECT_EQ(colour_at(grid, x, y), (Colour{.red = 255, .green = 191, .blue = 0}));
  }
  EXPECT_EQ(colour_at(grid, 5, 3), grey(128));
  EXPECT_EQ(colour_at(grid, 8, 3), white);
  EXPECT_EQ(colour_at(grid, 10, 3), grey(128));
  EXPECT_EQ(colour_at(grid, 15, 4), (Colour{.red = 128, .green = 128, .blue = 159}));
  EXPECT_EQ(colour_at(filter_grid(set, FilterScale::each, 3), 15, 4),
            (Colour{.red = 128, .green = 128, .blue = 255}));
}

TEST(FilterGrid, OneChannelIsGreyAndItsRangeIsItsOwn) {
  const std::vector<float> weights{9, 9, 9, -2, 0, 1};
  const FilterSet set{.weights = weights, .filters = 1, .channels = 2, .height = 1, .width = 3};
  const Picture second = filter_grid(set, FilterScale::each, 1, 1);
  EXPECT_EQ(colour_at(second, 2, 2), grey(0));
  EXPECT_EQ(colour_at(second, 3, 2), grey(128));
  EXPECT_EQ(colour_at(second, 4, 2), grey(191));
  EXPECT_EQ(filter_grid(set, FilterScale::together, 1, 1).pixels, second.pixels);
  EXPECT_EQ(colour_at(filter_grid(set, FilterScale::each, 1), 4, 2), grey(255));  // the first channel
}

TEST(FilterGrid, WeightsThatAreNotFiniteAreMagenta) {
  const std::vector<float> weights{std::numeric_limits<float>::quiet_NaN(), 2,
                                   -std::numeric_limits<float>::infinity(), 1};
  const FilterSet set{.weights = weights, .filters = 1, .channels = 1, .height = 2, .width = 2};
  const Picture grid = filter_grid(set, FilterScale::each, 1);
  EXPECT_EQ(colour_at(grid, 2, 2), (Colour{.red = 255, .green = 0, .blue = 255}));
  EXPECT_EQ(colour_at(grid, 2, 3), (Colour{.red = 255, .green = 0, .blue = 255}));
  EXPECT_EQ(colour_at(grid, 3, 2), grey(255));
  EXPECT_EQ(colour_at(grid, 3, 3), grey(191));
}

TEST(FilterGrid, ASetThatCannotBeIsABug) {
  const std::vector<float> weights(12);
  const FilterSet set{.weights = weights, .filters = 2, .channels = 2, .height = 1, .width = 3};
  test::expect_error(ExitCode::bug, {"channel"}, [&] { filter_grid(set, FilterScale::each, 1, 2); });
  test::expect_error(ExitCode::bug, {"1 or more"}, [&] { filter_grid(set, FilterScale::each, 0); });
  FilterSet wrong = set;
  wrong.filters = 3;
  test::expect_error(ExitCode::bug, {"weights"}, [&] { filter_grid(wrong, FilterScale::each, 1); });
}

}  // namespace
}  // namespace convoy
