#include <algorithm>

#include "engine/engine.hpp"
#include "sum_way.hpp"

namespace convoy::benchmark {
namespace {

// A network of one layer, whose gradient serves as the buffer: the program reaches a GPU's memory and streams
// through a replica alone. Without width and height its layout on the device is the host's.
NetSpec network_of(std::size_t elements) {
  constexpr int inputs = 1023;  // and a bias: 1024 parameters an output
  NetSpec spec;
  spec.name = "buffer";
  spec.input = {.channels = inputs, .height = 1, .width = 1};
  spec.stored_side = 1;
  spec.layers = {FullyConnected{.name = "fc", .outputs = static_cast<int>(elements / (inputs + 1) + 1)}};
  return spec;
}

class NcclSum final : public SumWay {
 public:
  NcclSum(Communicator& communicator, const WayOptions& options, int device_index) {
    ReplicaOptions wanted;
    wanted.device = DeviceKind::cuda;
    wanted.device_index = device_index;
    replica_ = make_training_replica(network_of(options.elements),
                                     {.stored_side = 1, .crop_side = 1, .mean = {}}, wanted);
    host_.resize(replica_->table().size());
    CollectiveOptions transport;
    transport.kind = CollectiveKind::automatic;
    transport.wire = communicator.size() > 1 ? options.wire : WirePrecision::fp32;
    transport.compute = replica_->compute_stream();
    transport.device_index = device_index;
    transport.gradient = replica_->gradient_memory();
    transport.largest_slice = transport.gradient.size();
    collective_ = make_collective(communicator, transport);
    collective_->connect();
  }

  std::string how() const override { return "nccl"; }
  void write(std::span<const float> values) override {
    std::ranges::copy(values, host_.begin());
    replica_->write_gradients(host_);
  }
  void read(std::span<float> values) override {
    replica_->read_gradients(host_);
    std::ranges::copy(std::span(host_).first(values.size()), values.begin());
  }
  void sum(std::size_t elements, std::size_t bucket) override {
    const std::span<float> gradient = replica_->gradient_memory();
    int started = 0;
    for (std::size_t begin = 0; begin < elements; begin += bucket, ++started)
      collective_->start(gradient.subspan(begin, std::min(bucket, elements - begin)));
    for (; started > 0; --started) collective_->finish_next();
  }
  void wait() override { replica_->synchronise(); }

 private:
  std::unique_ptr<TrainingReplica> replica_;
  std::vector<float> host_;
  std::unique_ptr<Collective> collective_;
};

}  // namespace

std::vector<std::unique_ptr<SumWay>> make_gpu_ways(Communicator& communicator, const WayOptions& options,
                                                   int device_index) {
  for (const std::string& how : options.hows)
    if (how != "nccl") fail(ExitCode::usage, "--how {}: between GPUs there is nccl only", how);
  std::vector<std::unique_ptr<SumWay>> ways;
  ways.push_back(std::make_unique<NcclSum>(communicator, options, device_index));
  return ways;
}

}  // namespace convoy::benchmark
