#include "data/shape_painter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"

namespace convoy {

namespace {

enum class Shape { circle, triangle, square, star, cross, ring, crescent, bar };
enum class Texture { stripes, dots, plain, checks, rings };

constexpr std::array<std::string_view, 8> shape_names{"circle", "triangle", "square",   "star",
                                                      "cross",  "ring",     "crescent", "bar"};
constexpr std::array<std::string_view, 5> texture_names{"stripes", "dots", "plain", "checks", "rings"};
constexpr int pair_count = 40, hue_count = 25;
constexpr float most_turn = 0.5F;  // of a shape, in radians: about 29 degrees in both directions
constexpr float any_hue = 0.5F;    // half a turn in both directions
static_assert(pair_count * hue_count == most_synthetic_classes);

struct ClassLook {
  Shape shape;
  Texture texture;
  float hue;     // centre of the hues of its first colour, in turns
  float spread;  // maximum distance of the hues from the centre
};

// Neighbouring classes differ in shape and texture: neither alone distinguishes the first ten. With up to 40
// classes, a class also tends towards a hue, which it shares with about a quarter of the others: a hint that
// lets learning start. With more classes, the hue is part of the class.
ClassLook look_of(int index, int classes) {
  const int pair = index % pair_count;
  ClassLook look{static_cast<Shape>(pair % 8), static_cast<Texture>((pair + pair / 8) % 5), 0, 0};
  if (classes > pair_count) {
    const int hue = index / pair_count;
    look.hue = (static_cast<float>(hue) + 0.5F) / hue_count;
    look.spread = 0.3F / hue_count;
  } else {
    look.hue = static_cast<float>(pair) * 0.618034F;  // the golden ratio spreads any number of hues evenly
    look.spread = 0.12F;
  }
  return look;
}

// Random numbers of one image, in order.
class Draws {
 public:
  Draws(std::uint64_t seed, int index, std::uint32_t image)
      : seed_(seed), class_(static_cast<std::uint32_t>(index)), image_(image) {}
  float unit() {
    if (word_ == 4) {
      block_ = synthesis_block(seed_, class_, image_, draw_++);
      word_ = 0;
    }
    return unit_float(block_.word[word_++]);
  }
  float between(float low, float high) { return low + (high - low) * unit(); }

 private:
  std::uint64_t seed_;
  std::uint32_t class_, image_, draw_ = 0;
  PhiloxBlock block_{};
  int word_ = 4;
};

struct RealColour {
  float r, g, b;
};

RealColour mix(const RealColour& a, const RealColour& b, float t) {
  return {a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

float distance(const RealColour& a, const RealColour& b) {
  return std::abs(a.r - b.r) + std::abs(a.g - b.g) + std::abs(a.b - b.b);
}

// Hue in turns, saturation and value in 0…1 to RGB in 0…255.
RealColour from_hsv(float hue, float saturation, float value) {
  const auto channel = [&](float offset) {
    const float k = std::fmod(offset + hue * 6, 6.0F);
    return 255 * (value - value * saturation * std::clamp(std::min(k, 4 - k), 0.0F, 1.0F));
  };
  return {channel(5), channel(3), channel(1)};
}

// Whether (u, v), in units of the shape's radius, is inside.
bool inside(Shape shape, float u, float v) {
  const float radius = std::sqrt(u * u + v * v);
  switch (shape) {
    case Shape::circle:
      return radius < 0.9F;
    case Shape::triangle:
      return v < 0.5F && v > 1.732F * std::abs(u) - 1;
    case Shape::square:
      return std::max(std::abs(u), std::abs(v)) < 0.78F;
    case Shape::star: {
      const float turn = (std::atan2(v, u) / (2 * std::numbers::pi_v<float>)+1) * 5;
      const float edge = std::abs(turn - std::floor(turn) - 0.5F) * 2;  // 1 at a tip, 0 between tips
      return radius < 0.42F + 0.63F * edge;
    }
    case Shape::cross:
      return std::max(std::abs(u), std::abs(v)) < 0.95F && std::min(std::abs(u), std::abs(v)) < 0.3F;
    case Shape::ring:
      return radius < 1 && radius > 0.58F;
    case Shape::crescent:
      return radius < 1 && std::hypot(u - 0.45F, v) > 0.8F;
    case Shape::bar:
      return std::abs(u) < 1.05F && std::abs(v) < 0.36F;
  }
  return false;
}

// Selects one of the texture's two colours at (u, v): true for the second.
bool second_colour(Texture texture, float u, float v, float period) {
  const auto wave = [&](float x) { return x / period - std::floor(x / period) < 0.5F; };
  switch (texture) {
    case Texture::stripes:
      return wave(v);
    case Texture::dots: {
      const float x = u / period - std::floor(u / period) - 0.5F,
                  y = v / period - std::floor(v / period) - 0.5F;
      return x * x + y * y < 0.1F;
    }
    case Texture::plain:
      return false;
    case Texture::checks:
      return wave(u) != wave(v);
    case Texture::rings:
      return wave(std::sqrt(u * u + v * v));
  }
  return false;
}

// A shape placed on the canvas; lengths in units of the canvas' side.
struct Placed {
  Shape shape;
  Texture texture;
  float x, y, radius, cosine, sine, period;
  RealColour first, second;

  // Whether a pixel of side `step` around (px, py) may be touched.
  bool near(float px, float py, float step) const {
    const float reach = radius * 1.2F + step;
    return std::abs(px - x) < reach && std::abs(py - y) < reach;
  }
  // Paints over `pixel` where the shape covers (px, py).
  void cover(float px, float py, RealColour& pixel) const {
    const float dx = (px - x) / radius, dy = (py - y) / radius;
    if (dx * dx + dy * dy > 1.4F) return;
    const float u = cosine * dx + sine * dy, v = cosine * dy - sine * dx;
    if (inside(shape, u, v)) pixel = second_colour(texture, u, v, period) ? second : first;
  }
};

// A background: a gradient of two colours along a direction, with soft blotches (a sum of waves).
struct Wave {
  float frequency_x, frequency_y, phase;
};

struct Background {
  RealColour from, to;
  float cosine, sine;
  std::array<Wave, 4> waves;

  RealColour at(float x, float y) const {
    float blotches = 0;
    for (const Wave& wave : waves)
      blotches += std::sin(wave.frequency_x * x + wave.frequency_y * y + wave.phase);
    return blend(x, y, blotches);
  }
  RealColour blend(float x, float y, float blotches) const {
    const float t = 0.5F + 0.5F * (cosine * (x - 0.5F) + sine * (y - 0.5F)) + 0.14F * blotches;
    return mix(from, to, std::clamp(t, 0.0F, 1.0F));
  }
};

// `background` at the centres of all pixels, side × side. A wave is a product of a function of x and one of y
// (sine of a sum), so sines are needed for rows and columns only.
std::vector<RealColour> render(const Background& background, int side) {
  const auto count = static_cast<std::size_t>(side);
  const float step = 1.0F / static_cast<float>(side);
  std::vector<float> blotches(count * count);
  std::vector<float> sines(count), cosines(count);
  for (const Wave& wave : background.waves) {
    for (std::size_t x = 0; x < count; ++x) {
      const float angle = wave.frequency_x * (static_cast<float>(x) + 0.5F) * step;
      sines[x] = std::sin(angle), cosines[x] = std::cos(angle);
    }
    for (std::size_t y = 0; y < count; ++y) {
      const float angle = wave.frequency_y * (static_cast<float>(y) + 0.5F) * step + wave.phase;
      const float row_sine = std::sin(angle), row_cosine = std::cos(angle);
      for (std::size_t x = 0; x < count; ++x)
        blotches[y * count + x] += sines[x] * row_cosine + cosines[x] * row_sine;
    }
  }
  std::vector<RealColour> canvas(count * count);
  for (std::size_t y = 0; y < count; ++y)
    for (std::size_t x = 0; x < count; ++x)
      canvas[y * count + x] =
          background.blend((static_cast<float>(x) + 0.5F) * step, (static_cast<float>(y) + 0.5F) * step,
                           blotches[y * count + x]);
  return canvas;
}

struct Scene {
  Background background;
  std::vector<Placed> things;  // later ones cover earlier ones; the last one shows the class
  float noise;                 // amplitude of the noise of single pixels
};

Background draw_background(Draws& draws) {
  Background background;
  background.from = from_hsv(draws.unit(), draws.between(0, 0.45F), draws.between(0.1F, 0.9F));
  background.to = from_hsv(draws.unit(), draws.between(0, 0.45F), draws.between(0.1F, 0.9F));
  const float turn = draws.between(0, 2 * std::numbers::pi_v<float>);
  background.cosine = std::cos(turn), background.sine = std::sin(turn);
  for (Wave& wave : background.waves) {
    wave.frequency_x = draws.between(-14, 14);
    wave.frequency_y = draws.between(-14, 14);
    wave.phase = draws.between(0, 2 * std::numbers::pi_v<float>);
  }
  return background;
}

// A colour that differs clearly from `others`; the best of several tries.
RealColour contrasting(Draws& draws, const ClassLook& look, std::span<const RealColour> others) {
  constexpr int most_tries = 6;
  RealColour best{};
  float best_distance = -1;
  for (int attempt = 0; attempt < most_tries; ++attempt) {
    const float hue = look.hue + look.spread * draws.between(-1, 1) + 1;  // + 1: never negative
    const RealColour colour =
        from_hsv(hue - std::floor(hue), draws.between(0.55F, 1), draws.between(0.35F, 1));
    float nearest = 1000;
    for (const RealColour& other : others) nearest = std::min(nearest, distance(colour, other));
    if (nearest > best_distance) best = colour, best_distance = nearest;
  }
  return best;
}

Placed draw_shape(Draws& draws, const ClassLook& look, const Background& background, float least,
                  float most) {
  Placed placed{};
  placed.shape = look.shape;
  placed.texture = look.texture;
  placed.radius = draws.between(least, most);
  const float margin = placed.radius * 0.95F + 0.02F;
  placed.x = draws.between(margin, 1 - margin);
  placed.y = draws.between(margin, 1 - margin);
  const float turn = draws.between(-most_turn, most_turn);
  placed.cosine = std::cos(turn), placed.sine = std::sin(turn);
  placed.period = draws.between(0.42F, 0.54F);
  const std::array behind{background.at(placed.x, placed.y), mix(background.from, background.to, 0.5F)};
  placed.first = contrasting(draws, look, behind);
  const std::array all{behind[0], behind[1], placed.first, placed.first};
  placed.second = contrasting(draws, {look.shape, look.texture, 0, any_hue}, all);
  return placed;
}

Scene draw_scene(Draws& draws, const ClassLook& look) {
  Scene scene;
  scene.background = draw_background(draws);
  const int clutter = static_cast<int>(draws.between(0, 3));
  for (int i = 0; i < clutter; ++i) {
    const auto shape = static_cast<Shape>(static_cast<int>(draws.between(0, 7.99F)));
    Placed thing = draw_shape(draws, {shape, Texture::plain, 0, any_hue}, scene.background, 0.03F, 0.06F);
    thing.second = thing.first;
    scene.things.push_back(thing);
  }
  scene.things.push_back(draw_shape(draws, look, scene.background, 0.31F, 0.43F));
  scene.noise = draws.between(2, 14);
  return scene;
}

// The colour of pixel (x, y) with the background `behind`. Two by two samples make the edges of shapes soft.
RealColour paint_pixel(const Scene& scene, int x, int y, float step, const RealColour& behind) {
  const float centre_x = (static_cast<float>(x) + 0.5F) * step,
              centre_y = (static_cast<float>(y) + 0.5F) * step;
  if (std::ranges::none_of(scene.things,
                           [&](const Placed& thing) { return thing.near(centre_x, centre_y, step); }))
    return behind;
  RealColour sum{};
  for (int part = 0; part < 4; ++part) {
    const int column = part % 2, row = part / 2;
    const float dx = (static_cast<float>(column) - 0.5F) * 0.5F * step;
    const float dy = (static_cast<float>(row) - 0.5F) * 0.5F * step;
    RealColour colour = behind;
    for (const Placed& thing : scene.things) thing.cover(centre_x + dx, centre_y + dy, colour);
    sum.r += colour.r / 4, sum.g += colour.g / 4, sum.b += colour.b / 4;
  }
  return sum;
}

std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, 255.0F)));
}

}  // namespace

std::string synthetic_class_id(int index, int classes) {
  ensure(index >= 0 && index < classes && classes <= most_synthetic_classes, "a synthetic class exists");
  const ClassLook look = look_of(index, classes);
  std::string id = fmt::format("{}-{}", shape_names[static_cast<std::size_t>(look.shape)],
                               texture_names[static_cast<std::size_t>(look.texture)]);
  if (classes > pair_count) id += fmt::format("-hue{:02}", index / pair_count);
  return id;
}

void paint_synthetic_image(std::uint64_t seed, int index, int classes, std::uint32_t image, int side,
                           std::span<std::uint8_t> square) {
  ensure(square.size() == static_cast<std::size_t>(side) * side * 3, "the square has side x side x 3 values");
  Draws draws(seed, index, image);
  const Scene scene = draw_scene(draws, look_of(index, classes));
  const float step = 1.0F / static_cast<float>(side);
  const std::vector<RealColour> canvas = render(scene.background, side);
  std::size_t next = 0;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const RealColour colour = paint_pixel(scene, x, y, step, canvas[next / 3]);
      for (const float value : {colour.r, colour.g, colour.b})
        square[next++] = to_byte(value + scene.noise * (draws.unit() - 0.5F) * 2);
    }
  }
}

}  // namespace convoy
