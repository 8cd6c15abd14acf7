#include "engine/cuda/update_stage.hpp"

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "device/cuda/check.hpp"
#include "engine/cuda/result_ring.hpp"

namespace convoy::cuda {

namespace {

constexpr std::size_t constants_begin = 64;  // bytes behind the start of an entry: its UpdateParameters
constexpr std::size_t entry_alignment = 256;

// One block of the update kernel takes a piece: 8 turns of 256 threads × 4 elements, enough to make reading
// the tensor's constants cheap, and small enough that AlexNet's 61 million parameters fill every GPU evenly.
constexpr std::size_t piece_elements = 8192;

std::vector<UpdatePiece> cut(const ParameterTable& table) {
  std::vector<UpdatePiece> pieces;
  std::int32_t tensor = 0;
  for (const Parameter& parameter : table.parameters()) {
    const std::size_t end = parameter.offset + parameter.elements;
    for (std::size_t begin = parameter.offset; begin < end; begin += piece_elements) {
      pieces.push_back({.begin = begin, .end = std::min(begin + piece_elements, end), .tensor = tensor});
    }
    ++tensor;
  }
  return pieces;
}

}  // namespace

UpdateStage::UpdateStage(const ParameterTable& table, const OptimizerSettings& optimizer)
    : tensors_(table.parameters().size()), optimizer_(optimizer), arrived_(make_event()) {
  const std::size_t bytes = constants_begin + tensors_ * sizeof(UpdateConstants);
  entry_bytes_ = (bytes + entry_alignment - 1) / entry_alignment * entry_alignment;
  host_ = PinnedMemory(ResultRing::places * entry_bytes_, "numbers of updates");
  device_ = DeviceMemory(ResultRing::places * entry_bytes_, "numbers of updates");
  const std::vector<UpdatePiece> pieces = cut(table);
  pieces_ = DeviceMemory(pieces.size() * sizeof(UpdatePiece), "the cut of the flat buffers");
  squares_ = DeviceMemory(pieces.size() * sizeof(double), "sums of squares");
  for (const UpdatePiece& piece : pieces) piece_ends_.push_back(static_cast<std::size_t>(piece.end));
  check(cudaMemcpy(pieces_.data(), pieces.data(), pieces_.size(), cudaMemcpyHostToDevice),
        "copying the cut of the flat buffers to the device");
  // A copy from ordinary memory may come back before it has arrived, and no stream of ours waits for its
  // stream.
  check(cudaStreamSynchronize(nullptr), "the arrival of the cut of the flat buffers");
}

void UpdateStage::stage(int place, const UpdateStep& step, cudaStream_t copy) {
  ensure(step.rates.size() == tensors_, "there is a rate for each parameter tensor");
  if (place == staged_) {
    // The update staged before was never applied: its numbers may still be on their way from this entry.
    check(cudaEventSynchronize(arrived_.get()), "waiting for the numbers of the update before");
  }
  staged_ = place;
  const std::size_t begin = static_cast<std::size_t>(place) * entry_bytes_;
  auto* const head = reinterpret_cast<UpdateParameters*>(host_.data() + begin);
  *head = {.ring_place = place,
           .inverse_loss_scale = step.inverse_loss_scale,
           .number = step.number,
           .beta1 = double{optimizer_.beta1},
           .beta2 = double{optimizer_.beta2}};
  auto* const constants = reinterpret_cast<UpdateConstants*>(host_.data() + begin + constants_begin);
  for (std::size_t i = 0; i < tensors_; ++i) constants[i] = update_constants(optimizer_, step, step.rates[i]);
  check(cudaMemcpyAsync(device_.data() + begin, host_.data() + begin,
                        constants_begin + tensors_ * sizeof(UpdateConstants), cudaMemcpyHostToDevice, copy),
        "copying the numbers of an update to the device");
  check(cudaEventRecord(arrived_.get(), copy), "recording an event");
  waited_ = false;
}

void UpdateStage::arrive(cudaStream_t compute) {
  if (waited_) return;
  check(cudaStreamWaitEvent(compute, arrived_.get(), 0), "letting the update wait for its numbers");
  waited_ = true;
}

int UpdateStage::pieces_before(std::size_t end) const {
  return static_cast<int>(std::ranges::upper_bound(piece_ends_, end) - piece_ends_.begin());
}

const UpdateParameters* UpdateStage::parameters(int place) const {
  return reinterpret_cast<const UpdateParameters*>(device_.data() +
                                                   static_cast<std::size_t>(place) * entry_bytes_);
}

const UpdateConstants* UpdateStage::constants(int place) const {
  return reinterpret_cast<const UpdateConstants*>(
      device_.data() + static_cast<std::size_t>(place) * entry_bytes_ + constants_begin);
}

}  // namespace convoy::cuda
