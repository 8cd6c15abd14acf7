// The oracle's input stage against values worked out by hand.
#include <gtest/gtest.h>

#include "reference/random_batch.hpp"
#include "reference/reference_input.hpp"

namespace convoy::test {
namespace {

// 3 × 3 image whose pixel at (row, column) has the value 10 · row + column + 100 · channel.
struct SmallImage {
  InputSpec spec;
  TestBatch batch;

  explicit SmallImage(int crop_side) {
    spec.stored_side = 3;
    spec.crop_side = crop_side;
    spec.mean = {0, 0, 0};
    for (int row = 0; row < 3; ++row) {
      for (int column = 0; column < 3; ++column) {
        for (int c = 0; c < 3; ++c) {
          batch.images.push_back(static_cast<std::uint8_t>(10 * row + column + 100 * c));
        }
      }
    }
    batch.labels = {0};
    batch.transforms = {SampleTransform{}};
  }

  std::vector<double> channel(int c) const {
    const Tensor input = reference_input(spec, batch.view());
    return {input.plane(0, c), input.plane(0, c) + spec.crop_side * spec.crop_side};
  }
};

using Values = std::vector<double>;

TEST(ReferenceInput, CropsAndMirrors) {
  SmallImage image(2);
  EXPECT_EQ(image.channel(0), (Values{0, 1, 10, 11}));
  EXPECT_EQ(image.channel(2), (Values{200, 201, 210, 211}));
  image.batch.transforms[0] = {{1, 0, 1, 0, 1, 1}, {}, 0};
  EXPECT_EQ(image.channel(0), (Values{11, 12, 21, 22}));
  image.batch.transforms[0] = {{-1, 0, 2, 0, 1, 1}, {}, 0};
  EXPECT_EQ(image.channel(0), (Values{12, 11, 22, 21}));
}

TEST(ReferenceInput, SubtractsAddsColourThenScales) {
  SmallImage image(1);
  image.spec.mean = {5, 6, 7};
  image.spec.scale[1] = 0.5F;
  image.batch.transforms[0] = {{1, 0, 0, 0, 1, 0}, {1, 2, 3}, 0};
  EXPECT_EQ(image.channel(0), (Values{0 - 5 + 1}));
  EXPECT_EQ(image.channel(1), (Values{(100 - 6 + 2) * 0.5}));
  EXPECT_EQ(image.channel(2), (Values{200 - 7 + 3}));
}

TEST(ReferenceInput, TheMeanImageStandsWhereThePixelStood) {
  SmallImage image(2);
  image.spec.mean.assign(27, 0);
  image.spec.mean[4] = 11;  // channel 0, row 1, column 1
  image.batch.transforms[0] = {{-1, 0, 2, 0, 1, 1}, {}, 0};
  EXPECT_EQ(image.channel(0), (Values{12, 0, 22, 21}));
}

TEST(ReferenceInput, InterpolatesAndTakesTheNearestOutside) {
  SmallImage image(2);
  image.batch.transforms[0] = {{1, 0, 0.5F, 0, 1, 0.25F}, {}, 1};
  EXPECT_EQ(image.channel(0), (Values{3, 4, 13, 14}));
  image.batch.transforms[0] = {{1, 0, -0.5F, 0, 1, 1.5F}, {}, 1};
  EXPECT_EQ(image.channel(0), (Values{15, 15.5, 20, 20.5}));
  image.batch.transforms[0] = {{0, 1, 0, 1, 0, 0}, {}, 1};
  EXPECT_EQ(image.channel(0), (Values{0, 10, 1, 11}));  // transposed
}

}  // namespace
}  // namespace convoy::test
