// The small inner loops on one thread, each as bytes or items a second; memcpy stands beside them as the
// floor.
//   build/benchmarks/micro/benchmark_micro --benchmark_filter=crc32c
#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "base/crc32c.hpp"
#include "base/random.hpp"
#include "data/augmentation.hpp"
#include "data/batch_plan.hpp"
#include "data/input_arithmetic.hpp"

namespace convoy {
namespace {

constexpr int stored_side = 256, crop_side = 227;

std::vector<std::uint8_t> test_image() {
  std::vector<std::uint8_t> pixels(std::size_t{stored_side} * stored_side * 3);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  return pixels;
}

void copy_image(benchmark::State& state) {
  const std::vector<std::uint8_t> from = test_image();
  std::vector<std::uint8_t> to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(from.size()));
}
BENCHMARK(copy_image);

void crc32c_image(benchmark::State& state) {
  const std::vector<std::uint8_t> pixels = test_image();
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(std::as_bytes(std::span(pixels))));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(pixels.size()));
}
BENCHMARK(crc32c_image);

void philox_words(benchmark::State& state) {
  constexpr std::uint32_t blocks = 4096;
  std::uint32_t sum = 0;
  for (auto _ : state) {
    for (std::uint32_t block = 0; block < blocks; ++block) sum ^= dropout_block(1, 2, 0, 3, block).word[0];
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * 4 * blocks);
}
BENCHMARK(philox_words);

// One image's network input; argument 0: crop and mirror, 1: rotation and shift (bilinear).
void input_stage(benchmark::State& state) {
  const std::vector<std::uint8_t> pixels = test_image();
  const float mean[3] = {120, 115, 100};
  const StoredImage image{pixels.data(), mean, stored_side, false};
  AugmentationSettings settings;
  settings.crop = settings.mirror = true;
  settings.rotate = settings.shift = state.range(0) == 1;
  const SampleTransform transform = training_transform(settings, stored_side, crop_side, 1, 0, 7);
  std::vector<float> input(std::size_t{3} * crop_side * crop_side);
  for (auto _ : state) {
    std::size_t place = 0;
    for (int channel = 0; channel < 3; ++channel)
      for (int y = 0; y < crop_side; ++y)
        for (int x = 0; x < crop_side; ++x)
          input[place++] = input_value(image, transform, 1.0F / 57, channel, y, x);
    benchmark::DoNotOptimize(input.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(input_stage)->Arg(0)->Arg(1);

// The order of an epoch of ImageNet's size.
void order_of_an_epoch(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(sample_order(1, 0, 1'281'167));
  state.SetItemsProcessed(state.iterations() * 1'281'167);
}
BENCHMARK(order_of_an_epoch)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace convoy

BENCHMARK_MAIN();
