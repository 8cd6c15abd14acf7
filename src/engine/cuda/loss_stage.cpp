#include "engine/cuda/loss_stage.hpp"

#include <vector>

#include "base/error.hpp"
#include "device/cuda/check.hpp"

namespace convoy::cuda {

LossStage::LossStage(Builder& builder, const ProgramResources& resources, Tensor* scores)
    : resources_(resources),
      scores_(scores),
      batch_(builder.batch()),
      classes_(scores->shape.channels),
      training_(builder.training() && !builder.keeps_all()) {
  const std::size_t rows = static_cast<std::size_t>(batch_);
  // Read by the host at any time after the pass.
  probabilities_ = builder.lasting(rows * static_cast<std::size_t>(classes_) * sizeof(float));
  row_losses_ = builder.lasting(rows * sizeof(DeviceRowLoss));
  own_sums_ = builder.lasting(sizeof(MetricSums));
  // Lives from the pass that writes it to the first operation of backward.
  if (training_) gradient_ = builder.tensor(builder.map({classes_, 1, 1}));
  builder.use(scores);
  builder.tick();
}

void LossStage::forward(const Pass& pass) const {
  auto* sums = resources_.sums;
  if (!training_) {
    // Evaluation takes its sums from the rows; what the kernel adds up goes nowhere.
    sums = static_cast<MetricSums*>(own_sums_->data);
    check(cudaMemsetAsync(sums, 0, sizeof(MetricSums), pass.stream), "emptying sums");
  }
  LossGradient gradient;
  if (gradient_ != nullptr) gradient = {gradient_->data, gradient_->shape.element, resources_.loss_scale};
  loss(pass.stream, static_cast<const float*>(scores_->data), pass.place.labels, batch_, classes_,
       pass.place.pass, static_cast<float*>(probabilities_->data),
       static_cast<DeviceRowLoss*>(row_losses_->data), sums, gradient);
}

BatchMetrics LossStage::metrics(int rows) const {
  std::vector<DeviceRowLoss> losses(static_cast<std::size_t>(rows));
  if (rows > 0) {
    check(cudaMemcpyAsync(losses.data(), row_losses_->data, losses.size() * sizeof(DeviceRowLoss),
                          cudaMemcpyDeviceToHost, resources_.compute),
          "reading losses");
  }
  check(cudaStreamSynchronize(resources_.compute), "waiting for a pass");
  BatchMetrics result;
  for (const DeviceRowLoss& row : losses) {
    result.loss += row.loss;
    result.top1 += row.rank < 1 ? 1 : 0;
    result.top5 += row.rank < 5 ? 1 : 0;
  }
  result.samples = rows;
  return result;
}

void LossStage::read_probabilities(int rows, std::span<float> out) const {
  const std::size_t wanted = static_cast<std::size_t>(rows) * static_cast<std::size_t>(classes_);
  ensure(out.size() >= wanted, "probabilities fit where they are read to");
  if (wanted > 0) {
    check(cudaMemcpyAsync(out.data(), probabilities_->data, wanted * sizeof(float), cudaMemcpyDeviceToHost,
                          resources_.compute),
          "reading probabilities");
  }
  check(cudaStreamSynchronize(resources_.compute), "waiting for a pass");
}

}  // namespace convoy::cuda
