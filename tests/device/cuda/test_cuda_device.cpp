// Owners of memory, streams and events, on a GPU.
#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "device/cuda/check.hpp"
#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"
#include "device/cuda_devices.hpp"

namespace convoy::cuda {
namespace {

class CudaDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    const CudaDevices found = find_cuda_devices();
    if (!found.refusal.empty()) GTEST_SKIP() << found.refusal;
    use_device(0);
  }
};

TEST_F(CudaDeviceTest, ErrorsNameTheCallTheErrorAndThePlace) {
  try {
    check(cudaSetDevice(1000), "choosing the device");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::device);
    for (const char* word : {"choosing the device", "cudaErrorInvalidDevice", "test_cuda_device.cpp"})
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);  // taken off
}

TEST_F(CudaDeviceTest, OutOfMemorySaysWhatWasAskedAndWhatIsThere) {
  const MemoryFacts facts = memory_facts();
  EXPECT_LE(facts.free, facts.total);
  try {
    const DeviceMemory memory(facts.total + (std::size_t{1} << 30), "activations of a batch of 4096");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::device);
    for (const char* word : {"out of memory", "activations of a batch of 4096", "are free", "GiB"})
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  const DeviceMemory small(1024, "a test");  // the device still works
  EXPECT_EQ(small.elements<float>().size(), 256u);
}

// Whether memory is back as it was after one block came, moved and went.
bool memory_comes_back() {
  const std::size_t before = memory_facts().free;
  {
    DeviceMemory first(64 << 20, "a test");
    EXPECT_LT(memory_facts().free, before);
    DeviceMemory second = std::move(first);
    EXPECT_EQ(first.data(), nullptr);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(second.size(), std::size_t{64} << 20);
    first = DeviceMemory();
    EXPECT_EQ(DeviceMemory(0, "nothing").data(), nullptr);
  }
  return memory_facts().free == before;
}

// Free memory is the device's, not the process's: programs beside this one may take or free some meanwhile. A
// block that is not freed is missing each time.
TEST_F(CudaDeviceTest, MemoryMovesAndIsGivenBack) {
  constexpr int attempts = 20;
  bool came_back = false;
  for (int attempt = 0; attempt < attempts && !came_back; ++attempt) came_back = memory_comes_back();
  EXPECT_TRUE(came_back);
}

// Two streams that touch the same memory in turn: without `follow` the copies would be free to change places.
TEST_F(CudaDeviceTest, AStreamFollowsAnother) {
  constexpr std::size_t count = 1 << 16;
  const DeviceMemory memory(count, "a test");
  const PinnedMemory host(count, "a test");
  const Stream first = make_stream(), second = make_stream(StreamPriority::urgent);
  const Event event = make_event();
  for (int round = 0; round < 10; ++round) {
    check(cudaMemsetAsync(memory.data(), round, count, first.get()), "memset");
    follow(second.get(), first.get(), event.get());
    check(cudaMemcpyAsync(host.data(), memory.data(), count, cudaMemcpyDeviceToHost, second.get()), "copy");
    follow(first.get(), second.get(), event.get());
    check(cudaMemsetAsync(memory.data(), 0xEE, count, first.get()), "memset");
    check(cudaStreamSynchronize(second.get()), "waiting");
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(static_cast<int>(host.data()[i]), round) << i;
  }
  check(cudaStreamSynchronize(first.get()), "waiting");
}

// A lower number is taken first. With one priority between the ends, or none, neighbours share one.
TEST_F(CudaDeviceTest, StreamsHavePrioritiesInOrder) {
  const auto priority_of = [](const Stream& stream) {
    int priority = 0;
    check(cudaStreamGetPriority(stream.get(), &priority), "asking for a priority");
    return priority;
  };
  int lowest = 0, highest = 0;
  check(cudaDeviceGetStreamPriorityRange(&lowest, &highest), "asking for the range");
  const int background = priority_of(make_stream(StreamPriority::background));
  const int ordinary = priority_of(make_stream()), urgent = priority_of(make_stream(StreamPriority::urgent));
  EXPECT_EQ(background, lowest);
  EXPECT_EQ(urgent, highest);
  if (lowest - highest >= 2) {
    EXPECT_LT(ordinary, background);
    EXPECT_GT(ordinary, urgent);
  } else {
    EXPECT_LE(ordinary, background);
    EXPECT_GE(ordinary, urgent);
  }
}

TEST_F(CudaDeviceTest, TimesAreComparedBetweenTimingEvents) {
  const Stream stream = make_stream();
  const Event begin = make_event(true), end = make_event(true);
  const DeviceMemory memory(1 << 20, "a test");
  check(cudaEventRecord(begin.get(), stream.get()), "record");
  check(cudaMemsetAsync(memory.data(), 0, memory.size(), stream.get()), "memset");
  check(cudaEventRecord(end.get(), stream.get()), "record");
  check(cudaEventSynchronize(end.get()), "waiting");
  float milliseconds = -1;
  check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "comparing");
  EXPECT_GE(milliseconds, 0);
}

// As a loader's threads use it: they never chose a device.
TEST_F(CudaDeviceTest, ThePinnedResourceServesContainersOfAnyThread) {
  PinnedResource resource(0);
  const DeviceMemory device(256 * sizeof(int), "a test");
  std::thread worker([&] {
    std::pmr::vector<int> values(256, 7, &resource);
    cudaPointerAttributes attributes{};
    check(cudaPointerGetAttributes(&attributes, values.data()), "asking for the kind of memory");
    EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
    check(cudaMemcpy(device.data(), values.data(), device.size(), cudaMemcpyHostToDevice), "copy");
  });
  worker.join();
  std::vector<int> back(256);
  check(cudaMemcpy(back.data(), device.data(), device.size(), cudaMemcpyDeviceToHost), "copy");
  EXPECT_EQ(back, std::vector<int>(256, 7));
}

}  // namespace
}  // namespace convoy::cuda
