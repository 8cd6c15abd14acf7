// Sums of gradients in device memory, by NCCL and by MPI through the host, through the CUDA module as a run
// uses them. Each rank has a GPU of its own; values are multiples of 1/256 below 8, whose float32 sums are
// exact in any order, so that NCCL may add as it likes.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "comm/collective.hpp"
#include "device/cuda/check.hpp"
#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"
#include "device/cuda_devices.hpp"
#include "support/mpi_test.hpp"

namespace convoy::test {
namespace {

constexpr std::size_t elements = 50'000;
constexpr std::size_t slice_elements = 7'777;  // so that slices begin at any alignment

float value_of(int rank, int round, std::size_t i) {
  std::minstd_rand generator(static_cast<unsigned>(i * 64 + static_cast<std::size_t>(rank * 8 + round) + 1));
  return static_cast<float>(static_cast<int>(generator() % 4096) - 2048) / 256;
}

float sum_of(int round, std::size_t i) {
  float sum = 0;
  for (int rank = 0; rank < world().size(); ++rank) sum += value_of(rank, round, i);
  return sum;
}

// Why ranks cannot have a GPU each; the same on every rank. Empty: they can.
std::string no_gpus() {
  const CudaDevices found = find_cuda_devices();
  const bool enough = static_cast<int>(found.devices.size()) >= world().local_size();
  double missing = enough ? 0 : 1;
  world().sum(std::span(&missing, 1));
  if (missing == 0) return {};
  if (found.devices.empty()) return "no GPU: " + found.refusal;
  return "fewer GPUs than ranks on this host";
}

// A replica's side of it: a stream, a gradient, and page-locked memory that stands for the engine's work.
class Fixture {
 public:
  explicit Fixture(std::size_t count) : count_(count) {
    cuda::use_device(world().local_rank());
    stream_ = cuda::make_stream();
    gradient_ = cuda::DeviceMemory(count * sizeof(float), "gradient");
    input_ = cuda::PinnedMemory(count * sizeof(float), "input");
    output_ = cuda::PinnedMemory(count * sizeof(float), "output");
  }

  // A sum may be in flight when a test fails.
  ~Fixture() { cudaStreamSynchronize(stream_.get()); }

  CollectiveOptions options(CollectiveKind kind, WirePrecision wire = WirePrecision::fp32) const {
    CollectiveOptions options;
    options.kind = kind;
    options.wire = wire;
    options.deterministic = true;
    options.compute = {stream_.get()};
    options.device_index = world().local_rank();
    options.gradient = gradient_.elements<float>();
    options.largest_slice = count_;
    return options;
  }

  void set_input(int round) {
    for (std::size_t i = 0; i < count_; ++i) input_.as<float>()[i] = value_of(world().rank(), round, i);
  }

  // Enqueues a step: pieces of the gradient are written by the stream just before their sums are started, and
  // read by it when they are finished.
  void enqueue_step(Collective& collective, std::size_t slice = slice_elements) {
    for (std::size_t begin = 0; begin < count_; begin += slice) {
      const std::span<float> part = part_at(begin, slice);
      cuda::check(cudaMemcpyAsync(part.data(), input_.as<float>() + begin, part.size_bytes(),
                                  cudaMemcpyHostToDevice, stream_.get()),
                  "writing a gradient");
      collective.start(part);
      collective.progress();
    }
    for (std::size_t begin = 0; begin < count_; begin += slice) {
      collective.finish_next();
      const std::span<float> part = part_at(begin, slice);
      cuda::check(cudaMemcpyAsync(output_.as<float>() + begin, part.data(), part.size_bytes(),
                                  cudaMemcpyDeviceToHost, stream_.get()),
                  "reading a sum");
    }
  }

  std::span<const float> output() {
    cuda::check(cudaStreamSynchronize(stream_.get()), "waiting for a step");
    return {output_.as<float>(), count_};
  }

  void expect_sums(int round) {
    const auto sums = output();
    for (std::size_t i = 0; i < count_; ++i) ASSERT_EQ(sums[i], sum_of(round, i)) << "element " << i;
  }

  cudaStream_t stream() const { return stream_.get(); }
  float* input() { return input_.as<float>(); }

 private:
  std::span<float> part_at(std::size_t begin, std::size_t slice) const {
    return gradient_.elements<float>().subspan(begin, std::min(slice, count_ - begin));
  }

  std::size_t count_;
  cuda::Stream stream_;
  cuda::DeviceMemory gradient_;
  cuda::PinnedMemory input_, output_;
};

class GpuSum : public testing::TestWithParam<CollectiveKind> {
 protected:
  void SetUp() override {
    if (const std::string reason = no_gpus(); !reason.empty()) GTEST_SKIP() << reason;
  }
  // Memory of one rank may be in use by another's sum: all have finished before any frees.
  void TearDown() override { world().barrier(); }
};

TEST_P(GpuSum, SumsWhatTheStreamWroteBefore) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{3}, std::size_t{4097}}) {
    Fixture fixture(count);
    const auto collective = make_collective(world(), fixture.options(GetParam()));
    EXPECT_EQ(collective->name(), GetParam() == CollectiveKind::mpi ? "mpi" : "nccl");
    collective->connect();
    fixture.set_input(0);
    fixture.enqueue_step(*collective);
    fixture.expect_sums(0);
    EXPECT_EQ(collective->failure(), "");
    world().barrier();
  }
}

// More slices than a step usually has, and steps that overwrite the gradient as soon as they may.
TEST_P(GpuSum, ManySlicesAndSteps) {
  Fixture fixture(elements);
  const auto collective = make_collective(world(), fixture.options(GetParam()));
  for (int round = 0; round < 4; ++round) {
    fixture.set_input(round);
    fixture.enqueue_step(*collective, round % 2 == 0 ? slice_elements : 1'234);
    fixture.expect_sums(round);
    if (HasFatalFailure()) return;
  }
}

// Ranks whose devices come at different times: one has long work before its first slice.
TEST_P(GpuSum, RanksNeedNotBeInStep) {
  Fixture fixture(elements);
  const auto collective = make_collective(world(), fixture.options(GetParam()));
  for (int round = 0; round < 3; ++round) {
    fixture.set_input(round);
    if (round % world().size() == world().rank())
      cuda::check(cudaLaunchHostFunc(
                      fixture.stream(), [](void*) { usleep(30'000); }, nullptr),
                  "enqueueing a delay");
    fixture.enqueue_step(*collective);
    fixture.expect_sums(round);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Transports, GpuSum, testing::Values(CollectiveKind::automatic, CollectiveKind::mpi),
                         [](const auto& kind) { return kind.param == CollectiveKind::mpi ? "Mpi" : "Nccl"; });

class Nccl : public GpuSum {};

// A step that was recorded gives the same sums as one that was enqueued, before and after.
TEST_P(Nccl, RunsInsideAGraph) {
  Fixture fixture(elements);
  const auto collective = make_collective(world(), fixture.options(GetParam()));
  ASSERT_TRUE(collective->capturable());
  fixture.set_input(0);
  fixture.enqueue_step(*collective);
  fixture.expect_sums(0);

  cudaGraph_t graph = nullptr;
  cudaGraphExec_t program = nullptr;
  cuda::check(cudaStreamBeginCapture(fixture.stream(), cudaStreamCaptureModeThreadLocal), "recording");
  fixture.enqueue_step(*collective);
  cuda::check(cudaStreamEndCapture(fixture.stream(), &graph), "recording");
  cuda::check(cudaGraphInstantiate(&program, graph, 0), "making a graph");
  for (int round = 1; round < 5; ++round) {
    fixture.set_input(round);
    if (round == 3) {
      fixture.enqueue_step(*collective, 4'000);
    } else {
      cuda::check(cudaGraphLaunch(program, fixture.stream()), "running a graph");
    }
    fixture.expect_sums(round);
    if (HasFatalFailure()) break;
  }
  // Before the collective: NCCL's end waits for graphs that hold it.
  cudaGraphExecDestroy(program);
  cudaGraphDestroy(graph);
}

INSTANTIATE_TEST_SUITE_P(Wire, Nccl, testing::Values(CollectiveKind::nccl),
                         [](const auto&) { return "Fp32"; });

class Narrow : public testing::TestWithParam<WirePrecision> {
 protected:
  void SetUp() override {
    if (const std::string reason = no_gpus(); !reason.empty()) GTEST_SKIP() << reason;
  }
  void TearDown() override { world().barrier(); }
};

TEST_P(Narrow, ErrorsStayWithinTheBound) {
  Fixture fixture(elements);
  const auto collective = make_collective(world(), fixture.options(CollectiveKind::nccl, GetParam()));
  std::mt19937 generator(static_cast<unsigned>(7 + world().rank()));
  std::uniform_real_distribution<float> distribution(-1, 1);
  // Floats of not too different sizes: their sums in float64 below are exact.
  std::vector<double> exact(elements), sizes(elements);
  for (std::size_t i = 0; i < elements; ++i) {
    const float value = std::ldexp(distribution(generator), -static_cast<int>(i % 10));
    fixture.input()[i] = value;
    exact[i] = value;
    sizes[i] = std::abs(value);
  }
  world().sum(exact);
  world().sum(sizes);
  fixture.enqueue_step(*collective);
  const auto sums = fixture.output();
  // See WirePrecision: each value and each partial sum is rounded once, P roundings of at most u Σ|x| in all
  // (to first order: the factor 1.01), below fp16's normal numbers P 2^-25 more.
  const double unit = GetParam() == WirePrecision::bf16 ? 0x1p-8 : 0x1p-11;
  const double ranks = world().size();
  double largest = 0;
  for (std::size_t i = 0; i < elements; ++i) {
    const double error = std::abs(sums[i] - exact[i]);
    ASSERT_LE(error, 1.01 * ranks * unit * sizes[i] + ranks * 0x1p-25) << "element " << i;
    largest = std::max(largest, error / (unit * sizes[i]));
  }
  EXPECT_GT(largest, 0.3);  // it was rounded at all
}

// A scale moves what 16 bits can hold: gradients that fp16 alone would round to nothing arrive.
TEST_P(Narrow, AScaleKeepsWhatIsSmall) {
  Fixture fixture(4096);
  CollectiveOptions options = fixture.options(CollectiveKind::nccl, GetParam());
  options.wire_scale = 256;
  const auto collective = make_collective(world(), options);
  std::vector<double> exact(4096);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const auto value = static_cast<float>(1e-6 * (1 + static_cast<double>(i) / 1024));
    fixture.input()[i] = value;
    exact[i] = double{value} * world().size();
  }
  fixture.enqueue_step(*collective);
  const auto sums = fixture.output();
  const double unit = GetParam() == WirePrecision::bf16 ? 0x1p-8 : 0x1p-11;  // as above
  for (std::size_t i = 0; i < exact.size(); ++i)
    ASSERT_NEAR(sums[i] / exact[i], 1, 1.01 * world().size() * unit) << "element " << i;
}

TEST_P(Narrow, WhatDoesNotFitIsNotFinite) {
  Fixture fixture(64);
  const auto collective = make_collective(world(), fixture.options(CollectiveKind::nccl, GetParam()));
  for (std::size_t i = 0; i < 64; ++i) fixture.input()[i] = 40'000;  // fp16 ends at 65504
  fixture.enqueue_step(*collective);
  for (const float sum : fixture.output()) ASSERT_EQ(std::isfinite(sum), GetParam() == WirePrecision::bf16);
}

INSTANTIATE_TEST_SUITE_P(Wire, Narrow, testing::Values(WirePrecision::bf16, WirePrecision::fp16),
                         [](const auto& wire) {
                           return wire.param == WirePrecision::bf16 ? "Bf16" : "Fp16";
                         });

// Given up while sums are under way: every stream comes to its end, and no call waits.
TEST(GpuSumAbort, StreamsEnd) {
  if (const std::string reason = no_gpus(); !reason.empty()) GTEST_SKIP() << reason;
  Fixture fixture(elements);
  const auto collective = make_collective(world(), fixture.options(CollectiveKind::nccl));
  collective->connect();
  world().barrier();
  fixture.set_input(0);
  // Rank 0 waits for sums that nobody else starts.
  if (world().rank() == 0) fixture.enqueue_step(*collective);
  collective->abort();
  collective->abort();
  EXPECT_EQ(cudaStreamSynchronize(fixture.stream()), cudaSuccess);
  try {
    fixture.enqueue_step(*collective);
    FAIL() << "no sum after abort";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::device);
    EXPECT_NE(std::string(error.what()).find("given up"), std::string::npos) << error.what();
  }
  world().barrier();
}

}  // namespace
}  // namespace convoy::test
