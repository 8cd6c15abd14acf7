#include "engine/cpu/loss_stage.hpp"

#include <algorithm>

#include "engine/bfloat16.hpp"

namespace convoy::cpu {

LossStage::LossStage(Builder& builder, Tensor* scores)
    : classes_(static_cast<std::int32_t>(dims_of(scores->desc)[1])) {
  const memory::dims dimensions = dims_of(scores->desc);
  scores_ = builder.convert(scores, plain_desc(dimensions, memory::data_type::f32));
  builder.use(scores_.result);
  builder.tick();
  const auto rows = static_cast<std::size_t>(dimensions[0]);
  all_probabilities_.resize(rows * static_cast<std::size_t>(classes_));
  labels_.resize(rows);
  row_losses_.resize(rows);
}

void LossStage::forward(Library& library, const BatchView& batch) {
  rows_ = batch.rows;
  std::copy_n(batch.labels.begin(), rows_, labels_.begin());
  scores_.run(library);
  const auto* scores = static_cast<const float*>(scores_.result->values.get_data_handle());
#pragma omp parallel for schedule(static)
  for (int row = 0; row < rows_; ++row) {
    const std::int64_t start = std::int64_t{row} * classes_;
    row_losses_[static_cast<std::size_t>(row)] = softmax_row(
        scores + start, classes_, labels_[static_cast<std::size_t>(row)], all_probabilities_.data() + start);
  }
  metrics_ = {};
  for (int row = 0; row < rows_; ++row) {
    const RowLoss& result = row_losses_[static_cast<std::size_t>(row)];
    metrics_.loss += result.loss;
    metrics_.top1 += result.rank < 1 ? 1 : 0;
    metrics_.top5 += result.rank < 5 ? 1 : 0;
  }
  metrics_.samples = rows_;
  probabilities_ = std::span<const float>(all_probabilities_)
                       .first(static_cast<std::size_t>(rows_) * static_cast<std::size_t>(classes_));
}

Tensor* LossStage::prepare_backward(Builder& builder) {
  gradient_ = builder.tensor(plain_desc(dims_of(scores_.result->desc), builder.activation_type()));
  builder.tick();
  return gradient_;
}

void LossStage::backward(double scale) const {
  if (data_type_of(gradient_->desc) == memory::data_type::bf16) {
    backward_as<Bfloat16>(static_cast<float>(scale));
  } else {
    backward_as<float>(static_cast<float>(scale));
  }
}

template <typename Element>
void LossStage::backward_as(float scale) const {
  auto* gradient = static_cast<Element*>(gradient_->values.get_data_handle());
  const std::int64_t samples = dims_of(gradient_->desc)[0];
  for (std::int64_t row = 0; row < samples; ++row) {
    Element* out = gradient + row * classes_;
    if (row >= rows_) {
      std::fill_n(out, classes_, Element{});
      continue;
    }
    const float* probabilities = all_probabilities_.data() + row * classes_;
    const std::int32_t label = labels_[static_cast<std::size_t>(row)];
    for (std::int32_t c = 0; c < classes_; ++c) {
      store_element(out[c], score_gradient(probabilities[c], c == label, scale));
    }
  }
}

}  // namespace convoy::cpu
