// How an image becomes a square: the geometry of each --fit, the resize with parts of pixels, and squares of
// JPEGs that were reduced during decoding.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <random>
#include <span>

#include "data/decode.hpp"
#include "data/image_files.hpp"
#include "data/placement.hpp"
#include "data/resample.hpp"

namespace convoy::test {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::array<Fit, 3> all_fits{Fit::cut, Fit::warp, Fit::pad};

TEST(Placement, OfEachFit) {
  const Box whole{0, 0, 64, 64};
  const Placement cut = place(101, 50, 1, Fit::cut, 64);
  EXPECT_EQ(cut.source, (Box{25, 0, 75, 50}));
  EXPECT_EQ(cut.target, whole);
  const Placement warp = place(101, 50, 1, Fit::warp, 64);
  EXPECT_EQ(warp.source, (Box{0, 0, 101, 50}));
  EXPECT_EQ(warp.target, whole);
  const Placement pad = place(128, 50, 1, Fit::pad, 64);
  EXPECT_EQ(pad.source, (Box{0, 0, 128, 50}));
  EXPECT_EQ(pad.target, (Box{0, 19, 64, 44}));
  EXPECT_EQ(place(50, 128, 1, Fit::pad, 64).target, (Box{19, 0, 44, 64}));
  EXPECT_EQ(place(1, 5000, 1, Fit::pad, 64).target, (Box{31, 0, 32, 64}));
}

TEST(Placement, ShrinkageIsThatOfTheAxisThatShrinksLeast) {
  EXPECT_EQ(least_shrinkage(place(800, 400, 1, Fit::cut, 100)), 4);
  EXPECT_EQ(least_shrinkage(place(800, 400, 1, Fit::warp, 100)), 4);
  EXPECT_EQ(least_shrinkage(place(800, 400, 1, Fit::pad, 100)), 8);
  EXPECT_EQ(least_shrinkage(place(50, 400, 6, Fit::warp, 100)), 0.5);
}

Bytes random_pixels(int width, int height, unsigned seed) {
  std::mt19937 generator(seed);
  Bytes pixels(static_cast<std::size_t>(width) * height * 3);
  for (std::uint8_t& value : pixels) value = static_cast<std::uint8_t>(generator());
  return pixels;
}

// The value of a result along one axis as sums over (pixel, weight), in double precision.
std::vector<std::pair<int, double>> weights(double begin, double end, int result, int results, int count) {
  const double step = (end - begin) / results, from = begin + result * step;
  std::vector<std::pair<int, double>> taps;
  for (int pixel = 0; pixel < count; ++pixel) {
    double weight = 0;
    if (step >= 1) {
      weight = std::max(0.0, std::min(from + step, pixel + 1.0) - std::max(from, static_cast<double>(pixel)));
      weight /= step;
    } else {
      const double centre = std::clamp(from + step / 2 - 0.5, std::floor(begin), std::ceil(end) - 1);
      weight = std::max(0.0, 1 - std::abs(centre - pixel));
    }
    if (weight > 0) taps.emplace_back(pixel, weight);
  }
  return taps;
}

TEST(Resample, EqualsTheExactMean) {
  struct Case {
    Area area;
    int width, height;
  };
  constexpr int columns = 23, rows = 17;
  const Bytes pixels = random_pixels(columns, rows, 1);
  for (const Case& c :
       {Case{{0, 0, 23, 17}, 5, 4}, Case{{2.125, 0.5, 20.375, 16.875}, 7, 3}, Case{{3, 2, 20, 15}, 17, 13},
        Case{{4, 1, 9, 16}, 11, 6}, Case{{0, 0, 23, 17}, 64, 64}, Case{{22.25, 0, 22.875, 17}, 1, 17},
        Case{{0, 0, 22.125, 16.5}, 1, 1}}) {
    SCOPED_TRACE(::testing::Message() << c.width << " x " << c.height);
    Bytes result(static_cast<std::size_t>(c.width) * c.height * 3);
    resample({pixels, columns, rows}, c.area, c.width, c.height, result.data(),
             static_cast<std::size_t>(c.width) * 3);
    for (int y = 0; y < c.height; ++y) {
      for (int x = 0; x < c.width; ++x) {
        for (int channel = 0; channel < 3; ++channel) {
          double expected = 0;
          for (const auto& [row, vertical] : weights(c.area.top, c.area.bottom, y, c.height, rows))
            for (const auto& [column, horizontal] : weights(c.area.left, c.area.right, x, c.width, columns))
              expected += vertical * horizontal * pixels[(row * columns + column) * 3 + channel];
          ASSERT_NEAR(result[(y * c.width + x) * 3 + channel], expected, 0.52) << x << ", " << y;
        }
      }
    }
  }
}

TEST(Resample, AnAreaThatKeepsItsSizeIsCopied) {
  const Bytes pixels = random_pixels(9, 8, 2);
  Bytes result(4 * 3 * 3);
  resample({pixels, 9, 8}, {3, 2, 7, 5}, 4, 3, result.data(), 12);
  for (int y = 0; y < 3; ++y)
    for (int i = 0; i < 12; ++i) ASSERT_EQ(result[y * 12 + i], pixels[((y + 2) * 9 + 3) * 3 + i]);
}

// The image as a viewer shows it, by EXIF's definition of where the stored row 0 and column 0 are.
RgbImage upright(const RgbImage& stored) {
  const int o = stored.orientation;
  RgbImage shown{o >= 5 ? stored.height : stored.width, o >= 5 ? stored.width : stored.height, stored.pixels};
  for (int y = 0; y < shown.height; ++y) {
    for (int x = 0; x < shown.width; ++x) {
      const int right = shown.width - 1 - x, low = shown.height - 1 - y;
      const int row = o == 1 || o == 2 ? y : o == 3 || o == 4 ? low : o == 5 || o == 8 ? x : right;
      const int column = o == 1 || o == 4 ? x : o == 2 || o == 3 ? right : o == 5 || o == 6 ? y : low;
      for (int channel = 0; channel < 3; ++channel)
        shown.pixels[(y * shown.width + x) * 3 + channel] =
            stored.pixels[(row * stored.width + column) * 3 + channel];
    }
  }
  return shown;
}

Bytes square_of(const RgbImage& image, int side, Fit fit) {
  Bytes square(static_cast<std::size_t>(side) * side * 3);
  make_square(image, side, fit, square);
  return square;
}

int largest_difference(const Bytes& a, const Bytes& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(Fits, RotatingLastIsRotatingFirst) {
  for (const auto& [width, height] : {std::pair{61, 40}, {40, 61}, {18, 51}, {9, 9}}) {
    RgbImage image{width, height, random_pixels(width, height, 3)};
    for (image.orientation = 1; image.orientation <= 8; ++image.orientation) {
      for (const Fit fit : all_fits) {
        for (const int side : {16, 9, 50}) {
          SCOPED_TRACE(::testing::Message() << width << " x " << height << " turned by " << image.orientation
                                            << ", fit " << word_of(fit_words(), fit) << " " << side);
          EXPECT_LE(largest_difference(square_of(image, side, fit), square_of(upright(image), side, fit)), 1);
        }
      }
    }
  }
}

// Each third of a picture of three colours takes a third of a warped square, and a third of the padded part.
TEST(Fits, WarpKeepsAllAndPadKeepsTheProportions) {
  RgbImage image{120, 40, Bytes(120 * 40 * 3)};
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>((i / 3 % 120 / 40 + 1) * 50 + i % 3);
  const Bytes warped = square_of(image, 30, Fit::warp), padded = square_of(image, 30, Fit::pad),
              cut = square_of(image, 30, Fit::cut);
  for (int y = 0; y < 30; ++y) {
    for (int x = 0; x < 30; ++x) {
      for (int channel = 0; channel < 3; ++channel) {
        const int at = (y * 30 + x) * 3 + channel, third = (x / 10 + 1) * 50 + channel;
        ASSERT_EQ(warped[at], third);
        ASSERT_EQ(padded[at], y >= 10 && y < 20 ? third : border_colour[channel]) << x << ", " << y;
        ASSERT_EQ(cut[at], 100 + channel);
      }
    }
  }
}

TEST(Fits, ExtremeShapesAndSmallImages) {
  Picture picture;
  for (const auto& [width, height] : {std::pair{1, 5000}, {5000, 1}, {1, 1}, {2, 3}, {3000, 7}}) {
    picture.width = width;
    picture.height = height;
    picture.pixels.assign(static_cast<std::size_t>(width) * height * 3, 77);
    const std::string file = photo_bytes(picture);
    for (const Fit fit : all_fits) {
      SCOPED_TRACE(::testing::Message() << width << " x " << height << " " << word_of(fit_words(), fit));
      Bytes square(32 * 32 * 3);
      decode_square(std::as_bytes(std::span(file)), 32, fit, square);
      const Box target = place(width, height, 1, fit, 32).target;
      for (int i = 0; i < 32 * 32; ++i) {
        const int x = i % 32, y = i / 32;
        const bool inside = x >= target.left && x < target.right && y >= target.top && y < target.bottom;
        ASSERT_NEAR(square[3 * i + 1], inside ? 77 : border_colour[1], 1) << x << ", " << y;
      }
    }
  }
}

// Adds strength · sin(x · along + y · down + phase) to a channel. The sine of a sum of an x and a y part
// needs no sine per pixel.
void add_wave(std::vector<double>& values, int width, int channel, double along, double down, double phase,
              double strength) {
  std::vector<double> sines, cosines;
  for (int x = 0; x < width; ++x) {
    sines.push_back(strength * std::sin(along * x));
    cosines.push_back(strength * std::cos(along * x));
  }
  const int height = static_cast<int>(values.size()) / (3 * width);
  for (int y = 0; y < height; ++y) {
    const double sine = std::sin(down * y + phase), cosine = std::cos(down * y + phase);
    for (int x = 0; x < width; ++x)
      values[(y * width + x) * 3 + channel] += sines[x] * cosine + cosines[x] * sine;
  }
}

// Waves of many lengths and directions, the shorter the weaker, as in photographs.
Picture waves(int width, int height) {
  std::mt19937 generator(5);
  std::uniform_real_distribution<double> uniform(0, 6.28);
  std::vector<double> values(static_cast<std::size_t>(width) * height * 3, 128);
  for (double length = 400; length > 4; length /= 1.35) {
    const double angle = uniform(generator), frequency = 6.28 / length;
    for (int channel = 0; channel < 3; ++channel)
      add_wave(values, width, channel, frequency * std::cos(angle), frequency * std::sin(angle),
               uniform(generator), 30 * std::sqrt(length / 400));
  }
  Picture picture{width, height, {}};
  for (const double value : values)
    picture.pixels.push_back(static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
  return picture;
}

double mean_difference(const Bytes& a, const Bytes& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

// A part of the picture that is cut half an original pixel beside the right place, or pixels that are taken
// to be larger than they are, would differ by several levels.
TEST(Fits, AReducedJpegGivesTheSquareOfTheWholeOne) {
  struct Case {
    int width, height, side, reduction;  // of the cut
  };
  for (const Case& c : {Case{1000, 750, 64, 2}, Case{750, 1001, 16, 8}, Case{999, 501, 31, 4},
                        Case{513, 1025, 64, 2}, Case{1021, 600, 37, 4}, Case{500, 375, 64, 1}}) {
    const Picture picture = waves(c.width, c.height);
    for (const int orientation : {1, 3, 6}) {
      const std::string file = photo_bytes(picture, orientation);
      const auto bytes = std::as_bytes(std::span(file));
      EXPECT_EQ(decode_image(bytes, c.side).reduction, c.reduction);
      for (const Fit fit : all_fits) {
        SCOPED_TRACE(::testing::Message() << c.width << " x " << c.height << " to " << c.side << " "
                                          << word_of(fit_words(), fit) << ", turned by " << orientation);
        Bytes square(static_cast<std::size_t>(c.side) * c.side * 3);
        decode_square(bytes, c.side, fit, square);
        EXPECT_LT(mean_difference(square, square_of(decode_image(bytes), c.side, fit)), 0.7);
      }
    }
  }
}

TEST(Fits, JpegIsReducedOnlyAsFarAsTheSquareAllows) {
  const Picture picture{520, 260, Bytes(520 * 260 * 3, 90)};
  const std::string file = photo_bytes(picture);
  const auto reduction = [&](int side, Fit fit) {
    const RgbImage image = decode_image(std::as_bytes(std::span(file)), side, fit);
    EXPECT_EQ(image.width, 520);
    EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.columns()) * image.rows() * 3);
    return image.reduction;
  };
  EXPECT_EQ(reduction(0, Fit::cut), 1);
  EXPECT_EQ(reduction(33, Fit::cut), 1);
  EXPECT_EQ(reduction(32, Fit::cut), 2);
  EXPECT_EQ(reduction(32, Fit::warp), 2);
  EXPECT_EQ(reduction(32, Fit::pad), 4);
  EXPECT_EQ(reduction(8, Fit::cut), 8);
}

}  // namespace
}  // namespace convoy::test
