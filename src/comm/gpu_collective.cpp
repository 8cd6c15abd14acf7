#include "comm/gpu_collective.hpp"

#include <deque>
#include <thread>
#include <utility>

#include "comm/mpi_collective.hpp"
#include "device/cuda_module.hpp"

namespace convoy {

namespace {

// Slices are copied to the host, summed there by MPI and copied back, each in the order in which start was
// called, not in the order of arrival. All ranks therefore give MPI the same sequence, whatever the speed of
// their devices.
class HostStagedCollective final : public Collective {
 public:
  HostStagedCollective(std::unique_ptr<HostStage> stage, std::unique_ptr<Collective> sums)
      : stage_(std::move(stage)), sums_(std::move(sums)) {}

  std::string_view name() const override { return sums_->name(); }

  void start(std::span<float> slice) override {
    coming_.push_back({slice, stage_->fetch(slice)});
    progress();
  }

  void progress() override {
    while (!coming_.empty() && stage_->arrived()) begin_oldest();
    sums_->progress();
  }

  void finish_next() override {
    // Sums in flight progress meanwhile: another rank may need them to get here.
    for (progress(); summing_.empty(); progress()) {
      ensure(!coming_.empty(), "finish_next has a slice to wait for");
      std::this_thread::yield();
    }
    sums_->finish_next();
    stage_->put_back(summing_.front());
    summing_.pop_front();
  }

  std::string failure() override { return sums_->failure(); }
  void abort() override { sums_->abort(); }

 private:
  struct Coming {
    std::span<float> device, host;
  };

  void begin_oldest() {
    sums_->start(coming_.front().host);
    summing_.push_back(coming_.front().device);
    coming_.pop_front();
  }

  // `sums_` is destroyed first: until then it may still write into the stage's memory.
  std::unique_ptr<HostStage> stage_;
  std::unique_ptr<Collective> sums_;
  std::deque<Coming> coming_;
  std::deque<std::span<float>> summing_;
};

std::unique_ptr<Collective> make_nccl(Communicator& communicator, const CudaModule& module,
                                      const CollectiveOptions& options) {
  NcclOptions mine;
  mine.id = communicator.on_rank_zero([&] {
    std::string id;
    module.entry<ConvoyNcclUniqueId>("convoy_nccl_unique_id")(id);
    return id;
  });
  mine.rank = communicator.rank();
  mine.ranks = communicator.size();
  mine.device_index = options.device_index;
  mine.compute = options.compute;
  mine.wire = options.wire;
  mine.wire_scale = options.wire_scale;
  mine.deterministic = options.deterministic;
  mine.largest_slice = options.largest_slice;
  mine.connect_seconds = options.connect_seconds;
  mine.mark_sums = options.mark_sums;
  std::unique_ptr<Collective> result;
  module.entry<ConvoyMakeNccl>("convoy_make_nccl")(mine, result);
  return result;
}

}  // namespace

std::unique_ptr<Collective> make_gpu_collective(Communicator& communicator,
                                                const CollectiveOptions& options) {
  const CudaModule module;
  if (options.kind != CollectiveKind::mpi) return make_nccl(communicator, module, options);
  std::unique_ptr<HostStage> stage;
  module.entry<ConvoyMakeHostStage>("convoy_make_host_stage")(options.compute, options.gradient, stage);
  return std::make_unique<HostStagedCollective>(
      std::move(stage), make_mpi_collective(communicator, options.spare_core, options.timeline));
}

}  // namespace convoy
