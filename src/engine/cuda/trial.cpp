#include "engine/cuda/trial.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "device/cuda/check.hpp"
#include "device/cuda/stream.hpp"

namespace convoy::cuda {
namespace {

// Exponent bits of a number in [0.5, 1), and the mantissa's, in each element.
struct NumberBits {
  std::uint32_t exponent, mantissa, sign;
};

NumberBits bits_of(Element element) {
  if (element == Element::bfloat16) return {0x3F00, 0x7F, 0x8000};
  if (element == Element::float16) return {0x3800, 0x3FF, 0x8000};
  return {0x3F000000, 0x7FFFFF, 0x80000000};
}

template <typename Word>
std::vector<std::byte> trial_values(std::size_t bytes, const NumberBits& bits, std::uint32_t seed) {
  std::vector<std::byte> values(bytes);
  std::uint32_t state = seed * 2654435761U;  // far apart for neighbouring seeds
  for (std::size_t at = 0; at + sizeof(Word) <= bytes; at += sizeof(Word)) {
    state = state * 1664525 + 1013904223;  // Numerical Recipes' generator; its high bits are the good ones
    const std::uint32_t drawn = state >> 7;
    const auto word =
        static_cast<Word>(bits.exponent | (drawn & bits.mantissa) | ((state >> 31) != 0 ? bits.sign : 0));
    std::copy_n(reinterpret_cast<const std::byte*>(&word), sizeof word, values.data() + at);
  }
  return values;
}

float timed(cudaStream_t stream, const std::function<bool()>& run) {
  const Event begin = make_event(true), end = make_event(true);
  check(cudaEventRecord(begin.get(), stream), "a trial run");
  run();
  check(cudaEventRecord(end.get(), stream), "a trial run");
  check(cudaEventSynchronize(end.get()), "a trial run");
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "a trial run");
  return milliseconds;
}

}  // namespace

void fill_with_trial_values(void* data, std::size_t bytes, Element element, cudaStream_t stream,
                            std::uint32_t seed) {
  if (bytes == 0) return;
  constexpr std::size_t most_drawn = std::size_t{1} << 20;
  const std::size_t drawn = std::min(bytes, most_drawn);
  const std::vector<std::byte> values = element == Element::float32
                                            ? trial_values<std::uint32_t>(drawn, bits_of(element), seed)
                                            : trial_values<std::uint16_t>(drawn, bits_of(element), seed);
  auto* const target = static_cast<std::byte*>(data);
  check(cudaMemcpyAsync(target, values.data(), drawn, cudaMemcpyHostToDevice, stream), "values to try on");
  check(cudaStreamSynchronize(stream), "values to try on");  // `values` ends here
  for (std::size_t filled = drawn; filled < bytes;) {
    const std::size_t count = std::min(filled, bytes - filled);
    check(cudaMemcpyAsync(target + filled, target, count, cudaMemcpyDeviceToDevice, stream),
          "values to try on");
    filled += count;
  }
}

std::optional<float> trial_milliseconds(cudaStream_t stream, const std::function<bool()>& run, float best) {
  constexpr float hopeless = 4, long_enough = 50;  // × best; ms: neither changes by being measured again
  // The first run of a kernel loads it, which may take longer than a hundred runs.
  if (!run()) return std::nullopt;
  const float first = timed(stream, run);
  if (first > long_enough || first > hopeless * best) return std::min(first, timed(stream, run));
  std::array<float, 3> times = {first, timed(stream, run), timed(stream, run)};
  std::ranges::sort(times);
  return times[1];
}

}  // namespace convoy::cuda
