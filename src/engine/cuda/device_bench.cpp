#include "engine/cuda/device_bench.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "device/cuda/check.hpp"
#include "engine/cuda/trial.hpp"

namespace convoy::cuda {
namespace {

// A sample of a result: `runs` of `length` neighbours, `stride` elements apart. An odd stride that is not a
// multiple of 3 meets every place of a row and of a tile, whose lengths are mostly products of twos and
// threes.
constexpr std::size_t run_length = 32, most_runs = 1024;

// From half precision, NaN and infinite values too.
float from_half(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU, mantissa = half & 0x3FFU;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 0x1F ? 0xFFU : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

std::vector<float> to_float(const std::vector<std::byte>& bytes, Element element) {
  std::vector<float> values(bytes.size() / bytes_of(element));
  if (element == Element::float32) {
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t word = 0;
    std::memcpy(&word, bytes.data() + 2 * i, sizeof word);
    values[i] =
        element == Element::bfloat16 ? std::bit_cast<float>(std::uint32_t{word} << 16) : from_half(word);
  }
  return values;
}

}  // namespace

double result_tolerance(Precision precision, Element result) {
  if (result == Element::bfloat16) return 0x1p-6;  // two units in the last place of the largest value
  if (result == Element::float16) return 0x1p-9;
  return precision == Precision::tf32 ? 0x1p-8 : 0x1p-13;
}

DeviceBench::DeviceBench(cudaStream_t stream, std::vector<TrialOperand> inputs, const TrialOperand& result)
    : stream_(stream), inputs_(std::move(inputs)), result_(result) {}

void DeviceBench::prepare() {
  std::uint32_t seed = 0;
  for (const TrialOperand& input : inputs_)
    fill_with_trial_values(input.data, input.bytes, input.element, stream_, ++seed);
  // Bits that are all ones are a NaN in every format.
  check(cudaMemsetAsync(result_.data, 0xFF, result_.bytes, stream_), "the result of a trial run");
}

std::optional<double> DeviceBench::milliseconds(const std::function<bool()>& run, double best) {
  const std::optional<float> time = trial_milliseconds(stream_, run, static_cast<float>(best));
  return time ? std::optional<double>(*time) : std::nullopt;
}

std::vector<float> DeviceBench::result() {
  const std::size_t size = bytes_of(result_.element), elements = result_.bytes / size;
  const auto* const source = static_cast<const std::byte*>(result_.data);
  if (elements <= run_length * most_runs) {
    std::vector<std::byte> bytes(elements * size);
    check(cudaMemcpyAsync(bytes.data(), source, bytes.size(), cudaMemcpyDeviceToHost, stream_),
          "the result of a trial run");
    check(cudaStreamSynchronize(stream_), "a trial run");
    return to_float(bytes, result_.element);
  }
  std::size_t stride = (elements - run_length) / (most_runs - 1);
  while (stride > run_length && (stride % 2 == 0 || stride % 3 == 0)) --stride;
  const std::size_t width = run_length * size;
  std::vector<std::byte> bytes((most_runs + 1) * width);
  check(cudaMemcpy2DAsync(bytes.data(), width, source, stride * size, width, most_runs,
                          cudaMemcpyDeviceToHost, stream_),
        "the result of a trial run");
  check(cudaMemcpyAsync(bytes.data() + most_runs * width, source + result_.bytes - width, width,
                        cudaMemcpyDeviceToHost, stream_),
        "the result of a trial run");
  check(cudaStreamSynchronize(stream_), "a trial run");
  return to_float(bytes, result_.element);
}

}  // namespace convoy::cuda
