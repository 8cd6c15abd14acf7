#include "engine/cuda/staged_batches.hpp"

#include <cstring>

#include "base/error.hpp"
#include "device/cuda/check.hpp"

namespace convoy::cuda {

namespace {

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

}  // namespace

StagedBatches::StagedBatches(Builder& builder, const ProgramResources& resources, int micro_batches)
    : resources_(resources),
      micro_batches_(static_cast<std::size_t>(micro_batches)),
      batch_(static_cast<std::size_t>(builder.batch())),
      checks_(*resources.spec, *resources.input, builder.batch()) {
  const auto side = static_cast<std::size_t>(resources.input->stored_side);
  image_bytes_ = side * side * 3;
  transforms_offset_ = aligned(sizeof(PassParameters));
  labels_offset_ = transforms_offset_ + aligned(batch_ * sizeof(SampleTransform));
  small_bytes_ = labels_offset_ + aligned(batch_ * sizeof(std::int32_t));
  places_.resize(2 * micro_batches_);
  for (Place& place : places_) {
    place.images = builder.lasting(batch_ * image_bytes_);
    place.small = builder.lasting(small_bytes_);
  }
  pinned_ = PinnedMemory(pinned_steps * micro_batches_ * small_bytes_, "labels and transforms of batches");
  for (Event& event : copied_) event = make_event();
  for (Event& event : read_) event = make_event();
}

void StagedBatches::begin_step() {
  ++step_;
  // Never waits where the host is at most two steps ahead; programs used otherwise may be further.
  cudaEvent_t copied = copied_[ring_place()].get();
  if (!has_passed(copied, "an earlier batch's copy")) {
    check(cudaEventSynchronize(copied), "waiting for an earlier batch to be copied");
  }
  check(cudaStreamWaitEvent(resources_.copy, read_[static_cast<std::size_t>(parity())].get(), 0),
        "copies behind the step that reads the same places");
}

void StagedBatches::stage(int micro, const BatchView& batch, const PassContext& context) {
  ensure(micro >= 0 && static_cast<std::size_t>(micro) < micro_batches_, "a pass that the program has");
  ensure(micro == 0 || step_ >= 0, "pass 0 begins a step");
  checks_.check(batch);
  if (micro == 0) begin_step();
  Place& place = places_[index(micro)];
  place.rows = batch.rows;
  const auto rows = static_cast<std::size_t>(batch.rows);
  std::byte* small =
      pinned_.data() + (ring_place() * micro_batches_ + static_cast<std::size_t>(micro)) * small_bytes_;
  PassParameters pass;
  pass.seed = context.seed;
  pass.step = static_cast<std::uint64_t>(context.step);
  pass.first_position = batch.first_position;
  pass.gradient_scale = static_cast<float>(context.gradient_scale);
  pass.rows = batch.rows;
  std::memcpy(small, &pass, sizeof(pass));
  if (rows > 0) {
    std::memcpy(small + transforms_offset_, batch.transforms.data(), rows * sizeof(SampleTransform));
    std::memcpy(small + labels_offset_, batch.labels.data(), rows * sizeof(std::int32_t));
    check(cudaMemcpyAsync(place.images->data, batch.images.data(), rows * image_bytes_,
                          cudaMemcpyHostToDevice, resources_.copy),
          "copying images");
  }
  check(cudaMemcpyAsync(place.small->data, small, small_bytes_, cudaMemcpyHostToDevice, resources_.copy),
        "copying labels and transforms");
  check(cudaEventRecord(copied_[ring_place()].get(), resources_.copy), "the end of a copy");
}

BatchPlace StagedBatches::place(int micro) const {
  ensure(step_ >= 0, "a batch is staged before it is computed");
  const Place& place = places_[index(micro)];
  const auto* small = static_cast<const std::byte*>(place.small->data);
  return {.images = static_cast<const std::uint8_t*>(place.images->data),
          .labels = reinterpret_cast<const std::int32_t*>(small + labels_offset_),
          .transforms = reinterpret_cast<const SampleTransform*>(small + transforms_offset_),
          .pass = reinterpret_cast<const PassParameters*>(small)};
}

void StagedBatches::wait_until_copied(cudaStream_t compute) const {
  ensure(step_ >= 0, "a batch is staged before it is computed");
  check(cudaStreamWaitEvent(compute, copied_[ring_place()].get(), 0), "computing behind the copies");
}

void StagedBatches::finished_reading(cudaStream_t compute, int parity) const {
  check(cudaEventRecord(read_[static_cast<std::size_t>(parity)].get(), compute), "the end of a step");
}

}  // namespace convoy::cuda
