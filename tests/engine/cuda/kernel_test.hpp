// What the tests of single CUDA kernels share: a fixture with a stream that skips where there is no device,
// maps of any element and layout in device memory, and how exact an element is.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "device/cuda/check.hpp"
#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"
#include "engine/cuda/map.hpp"

namespace convoy::cuda::test {

// Whether no device of NVIDIA's is there: the emulated one serves what a library may refuse.
inline bool emulated() {
  return !std::filesystem::exists("/proc/driver/nvidia") && !std::filesystem::exists("/dev/dxg");
}

// The value as the element holds it.
inline float rounded(float value, Element element) {
  if (element == Element::bfloat16) return __bfloat162float(__float2bfloat16_rn(value));
  if (element == Element::float16) return __half2float(__float2half_rn(value));
  return value;
}

// Half a unit in the last place of `element`, relative to the value: what one rounding may add.
inline double rounding(Element element) {
  return element == Element::bfloat16 ? 0x1p-8 : element == Element::float16 ? 0x1p-11 : 0x1p-24;
}

inline std::vector<std::byte> encode(std::span<const float> values, Element element) {
  std::vector<std::byte> bytes(values.size() * bytes_of(element));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::byte* const place = bytes.data() + i * bytes_of(element);
    if (element == Element::float32) {
      std::memcpy(place, &values[i], 4);
    } else if (element == Element::bfloat16) {
      const __nv_bfloat16 value = __float2bfloat16_rn(values[i]);
      std::memcpy(place, &value, 2);
    } else {
      const __half value = __float2half_rn(values[i]);
      std::memcpy(place, &value, 2);
    }
  }
  return bytes;
}

inline std::vector<float> decode(std::span<const std::byte> bytes, Element element) {
  std::vector<float> values(bytes.size() / bytes_of(element));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::byte* const place = bytes.data() + i * bytes_of(element);
    if (element == Element::float32) {
      std::memcpy(&values[i], place, 4);
    } else if (element == Element::bfloat16) {
      __nv_bfloat16 value;
      std::memcpy(&value, place, 2);
      values[i] = __bfloat162float(value);
    } else {
      __half value;
      std::memcpy(&value, place, 2);
      values[i] = __half2float(value);
    }
  }
  return values;
}

// Where (row, channel, y, x) stands in memory.
inline std::size_t index_in(const MapShape& shape, int row, int channel, int y, int x) {
  const std::int64_t base = row * shape.row_elements();
  return static_cast<std::size_t>(shape.layout == Layout::channels_first
                                      ? base + (std::int64_t{channel} * shape.height + y) * shape.width + x
                                      : base + (std::int64_t{y} * shape.width + x) * shape.channels +
                                            channel);
}

// Calls visit(row, channel, y, x, index in memory) for every element of a map.
template <typename Visit>
void for_each_place(const MapShape& shape, const Visit& visit) {
  for (int row = 0; row < shape.rows; ++row)
    for (int c = 0; c < shape.channels; ++c)
      for (int y = 0; y < shape.height; ++y)
        for (int x = 0; x < shape.width; ++x) visit(row, c, y, x, index_in(shape, row, c, y, x));
}

inline std::string name_of(Element element) {
  return element == Element::float32 ? "float32" : element == Element::bfloat16 ? "bfloat16" : "float16";
}
inline std::string name_of(const MapShape& shape) {
  return name_of(shape.element) + (shape.layout == Layout::channels_first ? " NCHW " : " NHWC ") +
         std::to_string(shape.rows) + "x" + std::to_string(shape.channels) + "x" +
         std::to_string(shape.height) + "x" + std::to_string(shape.width);
}

constexpr Element all_elements[] = {Element::float32, Element::bfloat16, Element::float16};
constexpr Layout all_layouts[] = {Layout::channels_first, Layout::channels_last};

// Every element and layout of one shape.
template <typename Visit>
void for_each_kind(MapShape shape, const Visit& visit) {
  for (const Element element : all_elements) {
    for (const Layout layout : all_layouts) {
      shape.element = element;
      shape.layout = layout;
      SCOPED_TRACE(name_of(shape));
      visit(shape);
    }
  }
}

// Values of N(0, `spread`²), the same in every run, as `element` holds them.
inline std::vector<float> random_values(std::size_t count, float spread, Element element = Element::float32,
                                        unsigned seed = 1) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> values(count);
  for (float& value : values) value = rounded(normal(bits), element);
  return values;
}

// An array in device memory, of plain structures or numbers.
template <typename T>
class DeviceArray {
 public:
  DeviceArray(std::size_t count, cudaStream_t stream)
      : memory_(count * sizeof(T), "a test"), count_(count), stream_(stream) {}
  DeviceArray(std::span<const T> values, cudaStream_t stream) : DeviceArray(values.size(), stream) {
    write(values);
  }
  DeviceArray(const std::vector<T>& values, cudaStream_t stream)
      : DeviceArray(std::span<const T>(values), stream) {}

  T* data() const { return memory_.as<T>(); }
  std::size_t size() const { return count_; }
  void write(std::span<const T> values) {
    check(cudaMemcpyAsync(data(), values.data(), values.size_bytes(), cudaMemcpyHostToDevice, stream_),
          "copy of a test");
  }
  // Waits for the stream.
  std::vector<T> read() const {
    std::vector<T> values(count_);
    check(cudaMemcpyAsync(values.data(), data(), count_ * sizeof(T), cudaMemcpyDeviceToHost, stream_),
          "copy of a test");
    check(cudaStreamSynchronize(stream_), "work of a test");
    return values;
  }

 private:
  DeviceMemory memory_;
  std::size_t count_;
  cudaStream_t stream_;
};

// Elements of any format in device memory, written and read as float.
class DeviceElements {
 public:
  DeviceElements(std::size_t count, Element element, cudaStream_t stream)
      : bytes_(count * bytes_of(element), stream), element_(element) {}
  DeviceElements(std::span<const float> values, Element element, cudaStream_t stream)
      : bytes_(encode(values, element), stream), element_(element) {}
  void* data() const { return bytes_.data(); }
  std::vector<float> read() const { return decode(bytes_.read(), element_); }

 private:
  DeviceArray<std::byte> bytes_;
  Element element_;
};

class KernelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0)
      GTEST_SKIP() << "no CUDA device on this machine";
    stream_ = make_stream();
  }
  cudaStream_t stream() const { return stream_.get(); }
  DeviceArray<PassParameters> pass_of(const PassParameters& pass) const {
    return {std::vector<PassParameters>{pass}, stream()};
  }
  DeviceElements map_of(std::span<const float> values, const MapShape& shape) const {
    return {values, shape.element, stream()};
  }
  DeviceElements empty_map(const MapShape& shape) const {
    return {static_cast<std::size_t>(shape.elements()), shape.element, stream()};
  }

 private:
  Stream stream_;
};

// Whether each value is within `relative` of the expected one, or within `absolute`; NaN equals NaN.
inline void expect_close(std::span<const float> values, std::span<const double> expected, double relative,
                         double absolute) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    if (std::isnan(expected[i])) {
      ASSERT_TRUE(std::isnan(value)) << "at " << i << ": " << value;
    } else if (value != expected[i]) {
      ASSERT_LE(std::abs(value - expected[i]), absolute + relative * std::abs(expected[i]))
          << "at " << i << ": " << value << " instead of " << expected[i];
    }
  }
}

}  // namespace convoy::cuda::test
