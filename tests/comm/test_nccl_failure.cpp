// What becomes of a run whose NCCL does not answer: an NCCL of the test's own takes the place of the library
// (symbols of the program come before those of its libraries) and behaves as a non-blocking communicator may.
#include <gtest/gtest.h>
#include <nccl.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "comm/gpu_collective.hpp"
#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"
#include "device/cuda_devices.hpp"

namespace {

using namespace std::chrono_literals;

// What the stand-in does and what was asked of it.
struct StandIn {
  std::atomic<ncclResult_t> init{ncclSuccess}, state{ncclSuccess}, sum{ncclSuccess};
  std::atomic<int> in_progress{0};  // answers "in progress" before `state`; negative: for ever
  std::atomic<bool> abort_hangs{false};
  std::atomic<int> aborts{0}, finalizes{0}, destroys{0}, sums{0}, blocking{-1};
};

StandIn& stand_in() {
  static StandIn one;
  return one;
}

int handle = 0;
ncclComm_t communicator() {
  return reinterpret_cast<ncclComm_t>(&handle);
}

}  // namespace

extern "C" {

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  *id = {};
  return ncclSuccess;
}
ncclResult_t ncclCommInitRankConfig(ncclComm_t* out, int, ncclUniqueId, int, ncclConfig_t* config) {
  stand_in().blocking = config->blocking;
  *out = stand_in().init == ncclSuccess || stand_in().init == ncclInProgress ? communicator() : nullptr;
  return stand_in().init;
}
ncclResult_t ncclCommGetAsyncError(ncclComm_t, ncclResult_t* state) {
  StandIn& nccl = stand_in();
  *state = nccl.in_progress != 0 ? ncclInProgress : nccl.state.load();
  if (nccl.in_progress > 0) --nccl.in_progress;
  return ncclSuccess;
}
ncclResult_t ncclAllReduce(const void*, void*, size_t, ncclDataType_t, ncclRedOp_t, ncclComm_t,
                           cudaStream_t) {
  ++stand_in().sums;
  return stand_in().sum;
}
ncclResult_t ncclCommAbort(ncclComm_t) {
  ++stand_in().aborts;
  while (stand_in().abort_hangs) std::this_thread::sleep_for(10ms);
  return ncclSuccess;
}
ncclResult_t ncclCommFinalize(ncclComm_t) {
  ++stand_in().finalizes;
  stand_in().in_progress = 3;
  return ncclInProgress;
}
ncclResult_t ncclCommDestroy(ncclComm_t) {
  ++stand_in().destroys;
  return ncclSuccess;
}
const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclRemoteError ? "remote process exited" : "some error";
}
const char* ncclGetLastError(ncclComm_t) {
  return "socket closed by peer 10.0.0.7";
}

convoy::ConvoyMakeNccl convoy_make_nccl;
}

namespace convoy::test {
namespace {

class NcclFailure : public testing::Test {
 protected:
  void SetUp() override {
    if (const CudaDevices found = find_cuda_devices(); found.devices.empty())
      GTEST_SKIP() << "no GPU: " << found.refusal;
    cuda::use_device(0);
    stream_ = cuda::make_stream();
    gradient_ = cuda::DeviceMemory(1024, "gradient");
    StandIn& nccl = stand_in();
    nccl.init = nccl.state = nccl.sum = ncclSuccess;
    nccl.in_progress = nccl.aborts = nccl.finalizes = nccl.destroys = nccl.sums = 0;
    nccl.abort_hangs = false;
  }

  std::unique_ptr<Collective> make(double connect_seconds = 60) {
    NcclOptions options;
    options.id.assign(sizeof(ncclUniqueId), '\0');
    options.rank = 1;
    options.ranks = 2;
    options.compute = {stream_.get()};
    options.connect_seconds = connect_seconds;
    std::unique_ptr<Collective> result;
    convoy_make_nccl(options, result);
    return result;
  }

  // NCCL is told on a thread of its own, which may come later.
  static void expect_one_abort() {
    for (int i = 0; i < 5000 && stand_in().aborts == 0; ++i) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(stand_in().aborts, 1);
  }

  std::span<float> gradient() { return gradient_.elements<float>(); }

  // Runs `call`, which must throw ExitCode::device with all of `texts`.
  template <typename Call>
  void expect_error(Call&& call, std::initializer_list<const char*> texts) {
    try {
      call();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.category(), ExitCode::device);
      for (const char* text : texts)
        EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << text << " in " << error.what();
    }
  }

  cuda::Stream stream_;
  cuda::DeviceMemory gradient_;
};

TEST_F(NcclFailure, NothingBlocksAndAllIsReturned) {
  stand_in().init = ncclInProgress;
  stand_in().in_progress = 5;
  {
    const auto collective = make();
    collective->connect();
    EXPECT_EQ(stand_in().blocking, 0);
    EXPECT_EQ(stand_in().in_progress, 0);  // it was waited for
    stand_in().sum = ncclInProgress;       // the first sum prepares its connections
    stand_in().in_progress = 4;
    collective->start(gradient());
    EXPECT_EQ(stand_in().in_progress, 0);
    collective->finish_next();
    EXPECT_EQ(stand_in().sums, 1);
  }
  EXPECT_EQ(stand_in().finalizes, 1);
  EXPECT_EQ(stand_in().destroys, 1);
  EXPECT_EQ(stand_in().aborts, 0);
}

TEST_F(NcclFailure, APeerThatNeverComesEndsTheStart) {
  stand_in().init = ncclInProgress;
  stand_in().in_progress = -1;
  const auto collective = make(0.3);
  const Stopwatch watch;
  expect_error([&] { collective->connect(); },
               {"rank 1 of 2, GPU 0", "ncclCommInitRankConfig waited", "NCCL_SOCKET_IFNAME"});
  EXPECT_GT(watch.seconds(), 0.25);
  EXPECT_LT(watch.seconds(), 3);
  expect_one_abort();
}

TEST_F(NcclFailure, AnotherThreadEndsTheStart) {
  stand_in().init = ncclInProgress;
  stand_in().in_progress = -1;
  auto collective = make();
  const Stopwatch watch;
  std::thread watchdog([&] {
    std::this_thread::sleep_for(100ms);
    EXPECT_EQ(collective->failure(), "");  // in progress is no failure
    collective->abort();
  });
  expect_error([&] { collective->connect(); }, {"ncclCommInitRankConfig was given up"});
  watchdog.join();
  EXPECT_LT(watch.seconds(), 3);
  collective.reset();
  expect_one_abort();
  EXPECT_EQ(stand_in().finalizes, 0);
}

TEST_F(NcclFailure, ErrorsNameCallAndReason) {
  stand_in().init = ncclSystemError;
  expect_error([&] { make()->connect(); },
               {"ncclCommInitRankConfig failed: some error (socket closed by peer 10.0.0.7)"});
  stand_in().init = ncclSuccess;
  stand_in().sum = ncclRemoteError;
  const auto collective = make();
  expect_error([&] { collective->start(gradient()); },
               {"ncclAllReduce failed: remote process exited (socket closed by peer 10.0.0.7)"});
}

// The watchdog asks from its own thread; the answer stays.
TEST_F(NcclFailure, AFailureOfTheTransportIsTold) {
  const auto collective = make();
  EXPECT_EQ(collective->failure(), "");  // not even connected
  collective->connect();
  EXPECT_EQ(collective->failure(), "");
  stand_in().state = ncclRemoteError;
  std::string told;
  std::thread([&] { told = collective->failure(); }).join();
  EXPECT_NE(told.find("remote process exited (socket closed by peer 10.0.0.7)"), std::string::npos) << told;
  collective->abort();
  EXPECT_EQ(collective->failure(), told);
  collective->abort();
  expect_one_abort();
}

TEST_F(NcclFailure, AnErrorThatUnwindsDoesNotWaitForTheOthers) {
  EXPECT_THROW(
      {
        const auto collective = make();
        collective->connect();
        throw std::runtime_error("something else");
      },
      std::runtime_error);
  expect_one_abort();
  EXPECT_EQ(stand_in().finalizes, 0);
}

TEST_F(NcclFailure, AbortComesBackEvenIfNcclDoesNot) {
  const auto collective = make();
  collective->connect();
  stand_in().abort_hangs = true;
  const Stopwatch watch;
  collective->abort();
  EXPECT_LT(watch.seconds(), 3);
  expect_one_abort();
  stand_in().abort_hangs = false;
}

}  // namespace
}  // namespace convoy::test
