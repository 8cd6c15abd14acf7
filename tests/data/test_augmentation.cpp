#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <set>
#include <vector>

#include "data/augmentation.hpp"
#include "support/expect_error.hpp"

namespace convoy {
namespace {

using test::expect_error;

struct Place {
  double column, row;
};

Place at(const SampleTransform& transform, double x, double y) {
  const float* m = transform.matrix;
  return {m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]};
}

bool mirrored(const SampleTransform& transform) {
  return at(transform, 1, 0).column < at(transform, 0, 0).column;
}

std::array<float, 6> matrix_of(const SampleTransform& transform) {
  std::array<float, 6> values;
  std::copy_n(transform.matrix, 6, values.begin());
  return values;
}

Statistics imagenet_statistics() {
  return {{123.7, 116.3, 103.5},
          {58.4, 57.1, 57.4},
          {13000, 1200, 300},
          {{0.58, 0.58, 0.57}, {-0.72, 0.01, 0.69}, {0.40, -0.81, 0.42}}};
}

TEST(ParseAugmentation, ReadsLists) {
  const AugmentationSettings none = parse_augmentation("none");
  EXPECT_FALSE(none.crop || none.resized_crop || none.mirror || none.colour || none.rotate || none.shift);
  const AugmentationSettings paper = parse_augmentation("crop,mirror,colour");
  EXPECT_TRUE(paper.crop && paper.mirror && paper.colour);
  EXPECT_FALSE(paper.resized_crop || paper.rotate || paper.shift);
  const AugmentationSettings others = parse_augmentation(" resized-crop , rotate,shift ");
  EXPECT_TRUE(others.resized_crop && others.rotate && others.shift);
  EXPECT_FALSE(others.crop || others.mirror || others.colour);
}

TEST(ParseAugmentation, NamesWhatItDoesNotKnow) {
  expect_error(ExitCode::usage, {"'flip'", "mirror", "resized-crop", "none"},
               [] { parse_augmentation("crop,flip"); });
  expect_error(ExitCode::usage, {"''"}, [] { parse_augmentation(""); });
  expect_error(ExitCode::usage, {"''"}, [] { parse_augmentation("crop,"); });
  expect_error(ExitCode::usage, {"'none'"}, [] { parse_augmentation("crop,none"); });
  expect_error(ExitCode::usage, {"crop and resized-crop"}, [] { parse_augmentation("crop,resized-crop"); });
}

TEST(CentreTransform, TakesTheMiddle) {
  const SampleTransform transform = centre_transform(256, 227);
  EXPECT_EQ(at(transform, 0, 0).column, 14);  // ⌊29/2⌋
  EXPECT_EQ(at(transform, 226, 226).row, 240);
  EXPECT_EQ(transform.resample, 0);
  EXPECT_EQ(transform.colour[0], 0);
  EXPECT_EQ(at(centre_transform(32, 32), 31, 0).column, 31);
}

TEST(TrainingTransform, WithoutAugmentationIsTheCentre) {
  EXPECT_EQ(matrix_of(training_transform({}, 256, 227, 1, 2, 3)), matrix_of(centre_transform(256, 227)));
}

// All 30 × 30 offsets occur, evenly, and no pixel outside the image is asked for.
TEST(TrainingTransform, CropsEvenly) {
  const AugmentationSettings settings = parse_augmentation("crop");
  constexpr int draws = 30000, offsets = 30;
  std::vector<int> columns(offsets), rows(offsets);
  std::set<std::pair<int, int>> places;
  for (std::uint32_t sample = 0; sample < draws; ++sample) {
    const SampleTransform transform = training_transform(settings, 256, 227, 1, 0, sample);
    ASSERT_EQ(transform.resample, 0);
    ASSERT_EQ(transform.matrix[0], 1);
    ASSERT_EQ(transform.matrix[1], 0);
    ASSERT_EQ(transform.matrix[3], 0);
    ASSERT_EQ(transform.matrix[4], 1);
    const int column = static_cast<int>(transform.matrix[2]), row = static_cast<int>(transform.matrix[5]);
    ASSERT_TRUE(column >= 0 && column < offsets && row >= 0 && row < offsets);
    ++columns[static_cast<std::size_t>(column)];
    ++rows[static_cast<std::size_t>(row)];
    places.insert({column, row});
  }
  for (const auto& counts : {columns, rows}) {
    double chi_squared = 0;
    for (const int count : counts) chi_squared += std::pow(count - draws / offsets, 2) / (draws / offsets);
    EXPECT_LT(chi_squared,
              58.3);  // 29 degrees of freedom: exceeded by chance once in 1,000; the draws are fixed
  }
  EXPECT_EQ(places.size(), 900U) << "columns and rows are independent";
}

TEST(TrainingTransform, MirrorsHalf) {
  const AugmentationSettings settings = parse_augmentation("mirror");
  int count = 0;
  constexpr int draws = 10000;
  for (std::uint32_t sample = 0; sample < draws; ++sample) {
    const SampleTransform transform = training_transform(settings, 256, 227, 1, 0, sample);
    ASSERT_EQ(transform.resample, 0);
    if (!mirrored(transform)) continue;
    ++count;
    // The leftmost pixel of the network's input is the rightmost of the crop.
    EXPECT_EQ(at(transform, 0, 0).column, 14 + 226);
    EXPECT_EQ(at(transform, 226, 5).column, 14);
    EXPECT_EQ(at(transform, 226, 5).row, 14 + 5);
  }
  EXPECT_NEAR(count, draws / 2, 4 * std::sqrt(draws) / 2);  // four standard deviations
}

// a ~ N(0, σ): the colour added has mean 0 and covariance Σ pᵢ pᵢᵀ (σ λᵢ / 255)².
TEST(TrainingTransform, ColourFollowsThePrincipalComponents) {
  AugmentationSettings settings = parse_augmentation("colour");
  settings.statistics = imagenet_statistics();
  constexpr int draws = 20000;
  double sum[3] = {}, products[3][3] = {};
  for (std::uint32_t sample = 0; sample < draws; ++sample) {
    const SampleTransform transform = training_transform(settings, 256, 227, 1, 0, sample);
    EXPECT_EQ(transform.resample, 0);
    for (int c = 0; c < 3; ++c) {
      sum[c] += transform.colour[c];
      for (int d = 0; d < 3; ++d) products[c][d] += transform.colour[c] * transform.colour[d];
    }
  }
  const Statistics& statistics = settings.statistics;
  for (int c = 0; c < 3; ++c)
    for (int d = 0; d < 3; ++d) {
      double expected = 0;
      for (int i = 0; i < 3; ++i)
        expected += statistics.pca_vectors[i][c] * statistics.pca_vectors[i][d] *
                    std::pow(settings.colour_sigma * statistics.pca_values[i] / 255, 2);
      // About 8.8 levels²; four standard errors of a (co)variance from 20,000 draws are 4 %.
      EXPECT_NEAR(products[c][d] / draws, expected, 0.04 * 8.8);
      EXPECT_NEAR(sum[c] / draws, 0, 4 * 3 / std::sqrt(draws));  // standard deviation of about 3 levels
    }
}

TEST(TrainingTransform, ColourIsTheFormula) {
  AugmentationSettings settings = parse_augmentation("colour");
  settings.statistics = imagenet_statistics();
  // With one component left, the three channels move along its direction.
  settings.statistics.pca_values[0] = settings.statistics.pca_values[2] = 0;
  const SampleTransform transform = training_transform(settings, 256, 227, 1, 0, 5);
  const double along = transform.colour[0] / -0.72;
  EXPECT_NE(along, 0);
  EXPECT_NEAR(transform.colour[1], along * 0.01, 1e-6);  // float's rounding of values below 10
  EXPECT_NEAR(transform.colour[2], along * 0.69, 1e-6);
}

TEST(TrainingTransform, ColourStopsAtItsEpoch) {
  AugmentationSettings settings = parse_augmentation("colour");
  settings.statistics = imagenet_statistics();
  settings.colour_until_epoch = 67;
  EXPECT_NE(training_transform(settings, 256, 227, 1, 66, 5).colour[0], 0);
  EXPECT_EQ(training_transform(settings, 256, 227, 1, 67, 5).colour[0], 0);
}

// Distances stay, the centre stays, and the angle is even in ±15°.
TEST(TrainingTransform, RotatesAboutTheCentre) {
  const AugmentationSettings settings = parse_augmentation("rotate");
  double least = 1, most = -1, sum = 0;
  constexpr int draws = 2000;
  for (std::uint32_t sample = 0; sample < draws; ++sample) {
    const SampleTransform transform = training_transform(settings, 32, 32, 1, 0, sample);
    EXPECT_EQ(transform.resample, 1);
    const Place centre = at(transform, 15.5, 15.5);
    EXPECT_NEAR(centre.column, 15.5, 1e-5);  // float's rounding of values below 32
    EXPECT_NEAR(centre.row, 15.5, 1e-5);
    EXPECT_NEAR(transform.matrix[0] * transform.matrix[4] - transform.matrix[1] * transform.matrix[3], 1,
                1e-6);
    EXPECT_NEAR(transform.matrix[0], transform.matrix[4], 1e-7);
    EXPECT_NEAR(transform.matrix[1], -transform.matrix[3], 1e-7);
    // The output's pixel takes the input at R(−θ): matrix = [cos θ, sin θ; −sin θ, cos θ].
    const double angle = std::atan2(transform.matrix[1], transform.matrix[0]);
    least = std::min(least, angle);
    most = std::max(most, angle);
    sum += angle;
  }
  const double limit = 15 * std::numbers::pi / 180;
  EXPECT_GE(least, -limit);
  EXPECT_LE(most, limit);
  EXPECT_LT(least, -0.98 * limit);
  EXPECT_GT(most, 0.98 * limit);
  EXPECT_NEAR(sum / draws, 0, 4 * limit / std::sqrt(3.0 * draws));  // four standard errors
}

TEST(TrainingTransform, ShiftsByATenth) {
  const AugmentationSettings settings = parse_augmentation("shift");
  double least = 1, most = -1;
  for (std::uint32_t sample = 0; sample < 2000; ++sample) {
    const SampleTransform transform = training_transform(settings, 32, 32, 1, 0, sample);
    EXPECT_EQ(transform.resample, 1);
    EXPECT_EQ(transform.matrix[0], 1);
    EXPECT_EQ(transform.matrix[1], 0);
    for (const float shift : {transform.matrix[2], transform.matrix[5]}) {
      EXPECT_LE(std::abs(shift), 3.2F);
      least = std::min<double>(least, shift);
      most = std::max<double>(most, shift);
    }
  }
  EXPECT_LT(least, -3.1);
  EXPECT_GT(most, 3.1);
}

// Rotation, then shift, then mirror: one map, equal to the three applied one after another.
TEST(TrainingTransform, ComposesRotationShiftAndMirror) {
  int mirrors = 0;
  for (std::uint32_t sample = 0; sample < 50; ++sample) {
    const auto part = [&](const char* words) {
      return training_transform(parse_augmentation(words), 32, 32, 7, 3, sample);
    };
    const SampleTransform rotation = part("rotate"), shift = part("shift"), mirror = part("mirror"),
                          all = part("rotate,shift,mirror");
    mirrors += mirrored(mirror);
    for (const Place& p : {Place{0, 0}, Place{31, 7}, Place{15.5, 20}}) {
      // Backwards from the output: where the mirrored pixel was before the mirror, before the shift, before
      // the rotation.
      const Place before_mirror = at(mirror, p.column, p.row);
      const Place before_shift = at(shift, before_mirror.column, before_mirror.row);
      const Place source = at(rotation, before_shift.column, before_shift.row);
      EXPECT_NEAR(at(all, p.column, p.row).column, source.column, 1e-4);  // float's rounding, three times
      EXPECT_NEAR(at(all, p.column, p.row).row, source.row, 1e-4);
    }
  }
  EXPECT_GT(mirrors, 10);
  EXPECT_LT(mirrors, 40);
}

// What the others draw does not change when one kind is switched on.
TEST(TrainingTransform, KindsDrawIndependently) {
  AugmentationSettings few = parse_augmentation("crop"), many = parse_augmentation("crop,mirror,colour");
  many.statistics = few.statistics = imagenet_statistics();
  AugmentationSettings colour = parse_augmentation("colour");
  colour.statistics = imagenet_statistics();
  for (std::uint32_t sample = 0; sample < 100; ++sample) {
    const SampleTransform a = training_transform(few, 256, 227, 1, 0, sample);
    const SampleTransform b = training_transform(many, 256, 227, 1, 0, sample);
    const double left = mirrored(b) ? at(b, 226, 0).column : at(b, 0, 0).column;
    EXPECT_EQ(left, at(a, 0, 0).column);
    EXPECT_EQ(b.matrix[5], a.matrix[5]);
    EXPECT_EQ(b.colour[1], training_transform(colour, 256, 227, 1, 0, sample).colour[1]);
  }
}

TEST(TrainingTransform, ResizedCropsLieInsideWithTheRightAreaAndRatio) {
  const AugmentationSettings settings = parse_augmentation("resized-crop");
  constexpr int draws = 5000;
  double area_sum = 0, log_ratio_sum = 0, least_area = 1, most_area = 0;
  for (std::uint32_t sample = 0; sample < draws; ++sample) {
    const SampleTransform transform = training_transform(settings, 256, 224, 1, 0, sample);
    EXPECT_EQ(transform.resample, 1);
    // The borders of the output, half a pixel outside its outer pixels, are whole pixels' borders of the
    // image.
    const Place first = at(transform, -0.5, -0.5), last = at(transform, 223.5, 223.5);
    const double width = last.column - first.column, height = last.row - first.row;
    EXPECT_NEAR(width, std::round(width), 1e-3);  // float's rounding of values below 256, times 224
    EXPECT_NEAR(first.row + 0.5, std::round(first.row + 0.5), 1e-3);
    EXPECT_GE(first.column, -0.5 - 1e-3);
    EXPECT_LE(last.column, 255.5 + 1e-3);
    EXPECT_GE(first.row, -0.5 - 1e-3);
    EXPECT_LE(last.row, 255.5 + 1e-3);
    const double area = width * height / (256.0 * 256.0), ratio = width / height;
    EXPECT_GE(area, 0.08 * 0.97);  // sides are rounded to whole pixels: at most 0.5 of 63
    EXPECT_LE(area, 1.0 + 1e-4);
    EXPECT_GE(ratio, 0.75 * 0.98);
    EXPECT_LE(ratio, 4.0 / 3 * 1.02);
    area_sum += area;
    log_ratio_sum += std::log(ratio);
    least_area = std::min(least_area, area);
    most_area = std::max(most_area, area);
  }
  EXPECT_LT(least_area, 0.09);
  EXPECT_GT(most_area, 0.95);
  // Area a fits with probability min(1, −ln a / ln 4/3), else it is drawn again: the mean of what remains is
  // 0.478. Four standard errors of a standard deviation of 0.24.
  EXPECT_NEAR(area_sum / draws, 0.478, 4 * 0.24 / std::sqrt(draws));
  EXPECT_NEAR(log_ratio_sum / draws, 0,
              0.012);  // four standard errors of a standard deviation of 0.17, and rounding
}

TEST(TrainingTransform, IsAFunctionOfSeedEpochAndSample) {
  AugmentationSettings settings = parse_augmentation("crop,mirror");
  const auto of = [&](std::uint64_t seed, std::uint32_t epoch, std::uint32_t sample) {
    return matrix_of(training_transform(settings, 256, 128, seed, epoch, sample));
  };
  EXPECT_EQ(of(1, 2, 3), of(1, 2, 3));
  EXPECT_NE(of(1, 2, 3), of(2, 2, 3));
  EXPECT_NE(of(1, 2, 3), of(1, 3, 3));
  EXPECT_NE(of(1, 2, 3), of(1, 2, 4));
}

// Changing these changes the input of every run.
TEST(TrainingTransform, HasFrozenValues) {
  const SampleTransform crop = training_transform(parse_augmentation("crop,mirror"), 256, 227, 1, 0, 0);
  EXPECT_EQ(matrix_of(crop), (std::array<float, 6>{-1, 0, 243, 0, 1, 5}));
  const SampleTransform warp = training_transform(parse_augmentation("rotate,shift"), 32, 32, 1, 0, 0);
  const std::array<float, 6> expected{0.990431845F, -0.138002574F, 2.83156204F,
                                      0.138002574F, 0.990431845F,  -0.315272063F};
  // Sine and cosine may differ in the last bit between C libraries.
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(matrix_of(warp)[i], expected[i], 1e-5);
}

TEST(TenCropTransform, TakesCornersCentreAndMirrors) {
  const int columns[5] = {0, 29, 0, 29, 14}, rows[5] = {0, 0, 29, 29, 14};
  for (int view = 0; view < 10; ++view) {
    const SampleTransform transform = ten_crop_transform(256, 227, view);
    EXPECT_EQ(transform.resample, 0);
    EXPECT_EQ(mirrored(transform), view >= 5);
    EXPECT_EQ(at(transform, view >= 5 ? 226 : 0, 0).column, columns[view % 5]);
    EXPECT_EQ(at(transform, 0, 0).row, rows[view % 5]);
  }
  EXPECT_EQ(matrix_of(ten_crop_transform(256, 227, 4)), matrix_of(centre_transform(256, 227)));
  EXPECT_THROW(ten_crop_transform(256, 227, 10), Error);
}

}  // namespace
}  // namespace convoy
