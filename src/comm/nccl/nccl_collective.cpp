// NCCL as a Collective: sums run on a stream of their own, in the order in which they were started, ordered
// by events against the replica's compute stream. Nothing here waits on the host, so that a step can be
// recorded as a graph: start forks the stream off compute, finish_next joins it again.
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/unwinding.hpp"
#include "comm/gpu_collective.hpp"
#include "comm/nccl/nccl_communicator.hpp"
#include "comm/nccl/wire.hpp"
#include "device/cuda/check.hpp"
#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"

namespace convoy::cuda {

namespace {

class NcclCollective final : public Collective {
 public:
  explicit NcclCollective(const NcclOptions& options)
      : compute_(static_cast<cudaStream_t>(options.compute.native)),
        wire_(options.wire),
        scale_(options.wire_scale),
        device_(options.device_index),
        marks_(options.mark_sums),
        in_16_bits_((use_device(device_), wire_ == WirePrecision::fp32 ? 0 : 2 * options.largest_slice),
                    "gradients in 16 bits on their way"),
        stream_(make_stream(StreamPriority::urgent)),
        communicator_(options) {
    // More are made when a step has more slices; never while a graph is recorded, if the first step is not.
    slices_.resize(16);
    for (Slice& slice : slices_) slice = {make_event(), make_event()};
  }

  ~NcclCollective() override {
    // The scratch and the events may still be in use. After abort, what is under way has come to its end;
    // an error was or will be reported by who met it.
    if (!unwind_.unwinding()) cudaStreamSynchronize(stream_.get());
  }

  std::string_view name() const override { return "nccl"; }
  void connect() override { communicator_.connect(); }

  void start(std::span<float> values) override {
    connect();
    const std::size_t number = started_++;
    if (number == slices_.size()) slices_.push_back({make_event(), make_event()});
    if (marks_) marks_(number, values.size_bytes(), SumMark::ready, {compute_});  // before the sum can begin
    follow(stream_.get(), compute_, slices_[number].final.get());
    enqueue_sum(values);
    if (marks_) marks_(number, values.size_bytes(), SumMark::done, {stream_.get()});
    check(cudaEventRecord(slices_[number].summed.get(), stream_.get()), "marking the end of a sum");
  }

  void progress() override {}

  void finish_next() override {
    ensure(finished_ < started_, "finish_next has a slice to wait for");
    check(cudaStreamWaitEvent(compute_, slices_[finished_++].summed.get(), 0),
          "letting the compute stream wait for a sum");
    if (finished_ == started_) finished_ = started_ = 0;  // all events are free again
  }

  // Sums follow each other on one stream.
  DeviceEvent last_sum() const override {
    ensure(started_ > 0, "a slice was started");
    return {slices_[started_ - 1].summed.get()};
  }

  bool capturable() const override { return true; }
  void begin() override { finished_ = started_ = 0; }
  std::string failure() override { return communicator_.failure(); }
  void abort() override { communicator_.abort(); }

 private:
  struct Slice {
    Event final;   // the compute stream has written the values
    Event summed;  // they are the sums
  };

  void enqueue_sum(std::span<float> values) {
    if (values.empty()) return;
    if (wire_ == WirePrecision::fp32) {
      communicator_.all_reduce(values.data(), values.size(), ncclFloat32, stream_.get());
      return;
    }
    // One scratch for all slices: they follow each other on one stream.
    ensure(2 * values.size() <= in_16_bits_.size(), "no slice is longer than the longest that was announced");
    const WireType type = wire_ == WirePrecision::bf16 ? WireType::bf16 : WireType::fp16;
    to_wire(type, values, scale_, in_16_bits_.data(), stream_.get());
    communicator_.all_reduce(in_16_bits_.data(), values.size(),
                             type == WireType::bf16 ? ncclBfloat16 : ncclFloat16, stream_.get());
    from_wire(type, in_16_bits_.data(), scale_, values, stream_.get());
  }

  const UnwindDetector unwind_;
  const cudaStream_t compute_;
  const WirePrecision wire_;
  const float scale_;
  const int device_;
  const SumMarks marks_;
  DeviceMemory in_16_bits_;
  Stream stream_;
  std::vector<Slice> slices_;  // of the step, in the order of start
  std::size_t started_ = 0, finished_ = 0;
  NcclCommunicator communicator_;  // last: it ends before what its sums use
};

}  // namespace

extern "C" void convoy_nccl_unique_id(std::string& id) {
  ncclUniqueId made;
  const ncclResult_t result = ncclGetUniqueId(&made);
  if (result != ncclSuccess) fail(ExitCode::device, "{}", nccl_error_text(result, "ncclGetUniqueId"));
  id.assign(reinterpret_cast<const char*>(&made), sizeof made);
}

extern "C" void convoy_make_nccl(const NcclOptions& options, std::unique_ptr<Collective>& result) {
  result = std::make_unique<NcclCollective>(options);
}

}  // namespace convoy::cuda
