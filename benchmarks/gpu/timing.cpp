#include "timing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "device.hpp"
#include "device/cuda/check.hpp"

namespace convoy::gpu_benchmark {
namespace {

using cuda::check;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

std::size_t flush_bytes(bool small) {
  return small ? 4096 : std::max<std::size_t>(2 * device_facts().level2_bytes, std::size_t{64} << 20);
}

}  // namespace

Timer::Timer(bool small, cudaStream_t stream)
    : rounds_(small ? 1 : 21),
      warm_up_rounds_(small ? 0 : 3),
      own_(stream == nullptr ? cuda::make_stream() : cuda::Stream()),
      stream_(stream == nullptr ? own_.get() : stream),
      begin_(cuda::make_event(true)),
      end_(cuda::make_event(true)),
      flush_(flush_bytes(small), "a benchmark's buffer that empties caches") {}

double Timer::sample(const Enqueue& run) {
  check(cudaMemsetAsync(flush_.data(), 1, flush_.size(), stream_), "cudaMemsetAsync");
  check(cudaEventRecord(begin_.get(), stream_), "cudaEventRecord");
  run(stream_);
  check(cudaEventRecord(end_.get(), stream_), "cudaEventRecord");
  check(cudaEventSynchronize(end_.get()), "cudaEventSynchronize");
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, begin_.get(), end_.get()), "cudaEventElapsedTime");
  return milliseconds * 1e-3;
}

std::vector<double> Timer::median_seconds(const std::vector<Case>& cases) {
  std::vector<std::vector<double>> samples(cases.size());
  for (int round = -warm_up_rounds_; round < rounds_; ++round) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const double seconds = sample(cases[i].run);
      if (round >= 0) samples[i].push_back(seconds);
    }
  }
  std::vector<double> medians(cases.size());
  std::transform(samples.begin(), samples.end(), medians.begin(), median);
  return medians;
}

double Timer::median_seconds(const Enqueue& run) {
  return median_seconds({Case{.name = {}, .bytes = 0, .flops = 0, .run = run, .floor = 0}}).front();
}

void print_cases(const std::vector<Case>& cases, const std::vector<double>& seconds, const Hardware& hardware,
                 const Records& records, const std::string& prefix) {
  fmt::print(
      "| what | µs | MB | GB/s | TFLOP/s | floor µs | floor ÷ time |\n|---|---|---|---|---|---|---|\n");
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& c = cases[i];
    const double floor =
        c.floor > 0 ? c.floor
                    : std::max(c.bytes / hardware.bytes_per_second, c.flops / hardware.flops_per_second);
    fmt::print("| {} | {:.1f} | {:.2f} | {:.0f} | {:.1f} | {:.1f} | {:.2f} |\n", c.name, seconds[i] * 1e6,
               c.bytes / 1e6, c.bytes / seconds[i] / 1e9, c.flops / seconds[i] / 1e12, floor * 1e6,
               floor / seconds[i]);
    records.entry(prefix + c.name, seconds[i] * 1e6, "us", "lower",
                  {{"floor_us", floor * 1e6}, {"bytes", c.bytes}, {"flops", c.flops}});
  }
}

}  // namespace convoy::gpu_benchmark
