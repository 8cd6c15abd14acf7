#include <mpi.h>

#include <algorithm>

#include "base/text_list.hpp"
#include "comm/mpi_collective.hpp"
#include "sum_way.hpp"

namespace convoy::benchmark {
namespace {

class HostBuffer : public SumWay {
 public:
  explicit HostBuffer(std::size_t elements) : values_(elements) {}
  void write(std::span<const float> values) override { std::ranges::copy(values, values_.begin()); }
  void read(std::span<float> values) override {
    std::ranges::copy(std::span(values_).first(values.size()), values.begin());
  }

 protected:
  // Calls `work` for consecutive pieces of the first `elements`; returns their number.
  template <typename Work>
  int for_each_bucket(std::size_t elements, std::size_t bucket, const Work& work) {
    int buckets = 0;
    for (std::size_t begin = 0; begin < elements; begin += bucket, ++buckets)
      work(std::span(values_).subspan(begin, std::min(bucket, elements - begin)));
    return buckets;
  }

 private:
  std::vector<float> values_;
};

class MpiAllreduce final : public HostBuffer {
 public:
  using HostBuffer::HostBuffer;
  std::string how() const override { return "mpi_allreduce"; }
  void sum(std::size_t elements, std::size_t bucket) override {
    for_each_bucket(elements, bucket, [](std::span<float> slice) {
      const int code = MPI_Allreduce(MPI_IN_PLACE, slice.data(), static_cast<int>(slice.size()), MPI_FLOAT,
                                     MPI_SUM, MPI_COMM_WORLD);
      if (code != MPI_SUCCESS) fail(ExitCode::device, "MPI_Allreduce failed with code {}", code);
    });
  }
};

class ByCollective final : public HostBuffer {
 public:
  ByCollective(Communicator& communicator, std::size_t elements, bool thread)
      : HostBuffer(elements), thread_(thread), collective_(make_mpi_collective(communicator, thread)) {}
  std::string how() const override { return thread_ ? "convoy-thread" : "convoy"; }
  void sum(std::size_t elements, std::size_t bucket) override {
    int started =
        for_each_bucket(elements, bucket, [this](std::span<float> slice) { collective_->start(slice); });
    for (; started > 0; --started) collective_->finish_next();
  }

 private:
  bool thread_;
  std::unique_ptr<Collective> collective_;
};

}  // namespace

std::vector<std::unique_ptr<SumWay>> make_mpi_ways(Communicator& communicator, const WayOptions& options) {
  if (options.wire != WirePrecision::fp32)
    fail(ExitCode::usage, "only NCCL sends in 16 bits: --wire belongs to --transport nccl");
  const std::vector<std::string> all = {"convoy", "convoy-thread", "mpi_allreduce"};
  std::vector<std::unique_ptr<SumWay>> ways;
  for (const std::string& how : options.hows.empty() ? all : options.hows) {
    if (how == "convoy") {
      ways.push_back(std::make_unique<ByCollective>(communicator, options.elements, false));
    } else if (how == "convoy-thread") {
      // Without the right to call MPI from any thread there is no such way.
      if (communicator.thread_multiple())
        ways.push_back(std::make_unique<ByCollective>(communicator, options.elements, true));
    } else if (how == "mpi_allreduce") {
      ways.push_back(std::make_unique<MpiAllreduce>(options.elements));
    } else {
      fail(ExitCode::usage, "--how {}: by MPI there are {}", how, text_list(all));
    }
  }
  return ways;
}

}  // namespace convoy::benchmark
