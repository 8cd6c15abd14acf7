#include "data/augmentation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/text_list.hpp"

namespace convoy {

namespace {

// Draws of augmentation_block, four words each. Each kind has its own, so that enabling or disabling one kind
// does not change the draws of the others.
enum Draw : std::uint32_t {
  draw_crop = 0,           // words 0, 1: column; words 2, 3: row
  draw_mirror = 1,         // word 0: its top bit
  draw_colour = 2,         // words 0, 1: a of the first and second component; words 2, 3: of the third
  draw_rotation = 3,       // word 0: angle
  draw_shift = 4,          // word 0: across; word 1: down
  draw_resized_crop = 16,  // … + try: word 0: area, word 1: ratio, word 2: column, word 3: row
};

// column = a·x + b·y + c, row = d·x + e·y + f: maps a pixel of one image to its position in another.
struct Affine {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;

  // First `inner`, then this.
  Affine after(const Affine& inner) const {
    return {a * inner.a + b * inner.d, a * inner.b + b * inner.e, a * inner.c + b * inner.f + c,
            d * inner.a + e * inner.d, d * inner.b + e * inner.e, d * inner.c + e * inner.f + f};
  }
};

// The random words of one training sample.
struct RandomWords {
  std::uint64_t seed;
  std::uint32_t epoch, sample;
  PhiloxBlock of(std::uint32_t draw) const { return augmentation_block(seed, epoch, sample, draw); }
};

// Uniform in (low, high).
double between(double low, double high, std::uint32_t bits) {
  return low + (high - low) * open_unit_double(bits);
}

Affine translation(double column, double row) {
  return {1, 0, column, 0, 1, row};
}

Affine mirroring(int side) {
  return {-1, 0, static_cast<double>(side - 1), 0, 1, 0};
}

Affine random_crop(int stored_side, int crop_side, const PhiloxBlock& bits) {
  const std::uint64_t offsets = std::uint64_t{1} + static_cast<unsigned>(stored_side - crop_side);
  return translation(static_cast<double>(bounded_integer(bits.word[0], bits.word[1], offsets)),
                     static_cast<double>(bounded_integer(bits.word[2], bits.word[3], offsets)));
}

// Resamples `width` × `height` pixels at (column, row) to crop_side × crop_side: pixel centres are half a
// pixel inside their squares, so x + ½ of one is (x + ½) · width / side of the other.
Affine resize(int width, int height, double column, double row, int crop_side) {
  const double across = static_cast<double>(width) / crop_side;
  const double down = static_cast<double>(height) / crop_side;
  return {across, 0, column + 0.5 * across - 0.5, 0, down, row + 0.5 * down - 0.5};
}

// Area 8–100 %, logarithmically uniform ratio 3/4–4/3; ten tries, then the whole (square) image:
// torchvision's RandomResizedCrop.
Affine random_resized_crop(int stored_side, int crop_side, const RandomWords& words) {
  const double area = static_cast<double>(stored_side) * stored_side;
  for (std::uint32_t attempt = 0; attempt < 10; ++attempt) {
    const PhiloxBlock bits = words.of(draw_resized_crop + attempt);
    const double target = area * between(0.08, 1.0, bits.word[0]);
    const double ratio = std::exp(between(std::log(3.0 / 4.0), std::log(4.0 / 3.0), bits.word[1]));
    const int width = static_cast<int>(std::lround(std::sqrt(target * ratio)));
    const int height = static_cast<int>(std::lround(std::sqrt(target / ratio)));
    if (width < 1 || height < 1 || width > stored_side || height > stored_side) continue;
    // One word each: there are at most a few thousand offsets, so 32 bits suffice.
    const auto offset = [](std::uint32_t word, int free) {
      return static_cast<double>((std::uint64_t{word} * static_cast<std::uint64_t>(free + 1)) >> 32);
    };
    return resize(width, height, offset(bits.word[2], stored_side - width),
                  offset(bits.word[3], stored_side - height), crop_side);
  }
  return resize(stored_side, stored_side, 0, 0, crop_side);
}

// Rotation by θ, then shift by t, about c = (S − 1)/2: pixel p of the result is the image at c + R(−θ)(p − c
// − t).
Affine warp(const AugmentationSettings& settings, int stored_side, const RandomWords& words) {
  const double centre = (stored_side - 1) / 2.0;
  double angle = 0, across = 0, down = 0;
  if (settings.rotate) {
    const double most = settings.rotate_degrees * std::numbers::pi / 180;
    angle = between(-most, most, words.of(draw_rotation).word[0]);
  }
  if (settings.shift) {
    const double most = settings.shift_fraction * stored_side;
    const PhiloxBlock bits = words.of(draw_shift);
    across = between(-most, most, bits.word[0]);
    down = between(-most, most, bits.word[1]);
  }
  const Affine rotation{std::cos(angle), std::sin(angle), 0, -std::sin(angle), std::cos(angle), 0};
  return translation(centre, centre).after(rotation).after(translation(-centre - across, -centre - down));
}

// Σ pᵢ aᵢ λᵢ / 255 with a ~ N(0, σ): p and λ are directions and variances of the principal components of RGB.
void add_colour(const AugmentationSettings& settings, const PhiloxBlock& bits, SampleTransform& transform) {
  const NormalPair first = normal_pair(bits.word[0], bits.word[1]);
  const double normal[3] = {first.first, first.second, normal_pair(bits.word[2], bits.word[3]).first};
  for (int channel = 0; channel < 3; ++channel) {
    double sum = 0;
    for (int i = 0; i < 3; ++i)
      sum += settings.statistics.pca_vectors[i][channel] * settings.colour_sigma * normal[i] *
             settings.statistics.pca_values[i] / 255;
    transform.colour[channel] = static_cast<float>(sum);
  }
}

SampleTransform from_affine(const Affine& map, bool resample) {
  SampleTransform transform;
  const double values[6] = {map.a, map.b, map.c, map.d, map.e, map.f};
  for (int i = 0; i < 6; ++i) transform.matrix[i] = static_cast<float>(values[i]);
  transform.resample = resample ? 1 : 0;
  return transform;
}

Affine centre_crop(int stored_side, int crop_side) {
  const int offset = (stored_side - crop_side) / 2;
  return translation(offset, offset);
}

// The words of --augment.
struct KindName {
  std::string_view word;
  bool AugmentationKinds::*on;
};
constexpr std::array kind_names{KindName{"crop", &AugmentationKinds::crop},
                                KindName{"resized-crop", &AugmentationKinds::resized_crop},
                                KindName{"mirror", &AugmentationKinds::mirror},
                                KindName{"colour", &AugmentationKinds::colour},
                                KindName{"rotate", &AugmentationKinds::rotate},
                                KindName{"shift", &AugmentationKinds::shift}};

template <typename Wanted>
std::string words_where(Wanted&& wanted, const char* separator) {
  std::vector<std::string_view> words;
  for (const KindName& kind : kind_names)
    if (wanted(kind)) words.push_back(kind.word);
  return text_list(words, separator);
}

}  // namespace

AugmentationSettings parse_augmentation(std::string_view text) {
  AugmentationSettings settings;
  if (text == "none") return settings;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    std::string_view word = rest.substr(0, comma);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    const auto known =
        std::ranges::find_if(kind_names, [&](const KindName& kind) { return kind.word == word; });
    if (known == kind_names.end())
      fail(ExitCode::usage, "'{}' in '{}' is not one of {} (separated by commas) or none", word, text,
           words_where([](const KindName&) { return true; }, ", "));
    settings.*known->on = true;
    if (comma == rest.npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (settings.crop && settings.resized_crop)
    fail(ExitCode::usage, "'{}': crop and resized-crop exclude each other; choose one", text);
  return settings;
}

std::string augmentation_text(const AugmentationKinds& kinds) {
  const std::string text = words_where([&](const KindName& kind) { return kinds.*kind.on; }, ",");
  return text.empty() ? "none" : text;
}

SampleTransform training_transform(const AugmentationSettings& settings, int stored_side, int crop_side,
                                   std::uint64_t seed, std::uint32_t epoch, std::uint32_t sample) {
  const RandomWords words{seed, epoch, sample};
  // The network's input pixel is mapped back through the transforms of the image, in reverse order.
  Affine map = settings.resized_crop ? random_resized_crop(stored_side, crop_side, words)
               : settings.crop       ? random_crop(stored_side, crop_side, words.of(draw_crop))
                                     : centre_crop(stored_side, crop_side);
  if (settings.mirror && words.of(draw_mirror).word[0] >> 31 != 0) map = map.after(mirroring(crop_side));
  const bool warped = settings.rotate || settings.shift;
  if (warped) map = warp(settings, stored_side, words).after(map);

  SampleTransform transform = from_affine(map, warped || settings.resized_crop);
  const bool coloured = settings.colour && (settings.colour_until_epoch < 0 ||
                                            std::int64_t{epoch} < settings.colour_until_epoch);
  if (coloured) add_colour(settings, words.of(draw_colour), transform);
  return transform;
}

SampleTransform centre_transform(int stored_side, int crop_side) {
  return from_affine(centre_crop(stored_side, crop_side), false);
}

SampleTransform ten_crop_transform(int stored_side, int crop_side, int view) {
  ensure(view >= 0 && view < 10, "ten-crop evaluation has views 0 to 9");
  const int corner = view % 5;  // top left, top right, bottom left, bottom right, centre
  const double far = stored_side - crop_side;
  Affine map = corner == 4 ? centre_crop(stored_side, crop_side)
                           : translation(corner % 2 == 0 ? 0 : far, corner < 2 ? 0 : far);
  if (view >= 5) map = map.after(mirroring(crop_side));
  return from_affine(map, false);
}

}  // namespace convoy
