// Average pooling onto a fixed output side: window i of o over side n is [⌊i·n/o⌋, ⌈(i+1)·n/o⌉).
#include <cstdint>

#include "engine/bfloat16.hpp"
#include "engine/cpu/operation.hpp"

namespace convoy::cpu {

namespace {

struct Window {
  std::int64_t begin, end;
};

Window window_of(std::int64_t index, std::int64_t outputs, std::int64_t side) {
  return {index * side / outputs, ((index + 1) * side + outputs - 1) / outputs};
}

// One map of height × width onto outputs × outputs.
template <typename Element>
void average_map(const Element* in, std::int64_t height, std::int64_t width, std::int64_t outputs,
                 Element* out) {
  for (std::int64_t i = 0; i < outputs; ++i) {
    const Window rows = window_of(i, outputs, height);
    for (std::int64_t j = 0; j < outputs; ++j) {
      const Window columns = window_of(j, outputs, width);
      float sum = 0;
      for (std::int64_t y = rows.begin; y < rows.end; ++y) {
        for (std::int64_t x = columns.begin; x < columns.end; ++x) sum += to_float(in[y * width + x]);
      }
      const auto count = static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
      store_element(out[i * outputs + j], sum / count);
    }
  }
}

// Its gradient: every output's gradient shared equally among the inputs of its window. Gathered by input
// element, so that sums of overlapping windows are taken in float32.
template <typename Element>
void spread_map(const Element* out_gradient, std::int64_t height, std::int64_t width, std::int64_t outputs,
                Element* in_gradient) {
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      float sum = 0;
      for (std::int64_t i = 0; i < outputs; ++i) {
        const Window rows = window_of(i, outputs, height);
        if (y < rows.begin || y >= rows.end) continue;
        for (std::int64_t j = 0; j < outputs; ++j) {
          const Window columns = window_of(j, outputs, width);
          if (x < columns.begin || x >= columns.end) continue;
          const auto count = static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
          sum += to_float(out_gradient[i * outputs + j]) / count;
        }
      }
      store_element(in_gradient[y * width + x], sum);
    }
  }
}

class AdaptiveAveragePoolOperation final : public Operation {
 public:
  AdaptiveAveragePoolOperation(Builder& builder, const AdaptiveAveragePool& layer,
                               const PlannedOperation& planned, Tensor* input)
      : input_dims_(dims_of(input->desc)), outputs_(layer.output) {
    const memory::data_type type = builder.activation_type();
    checked("average pooling", [&] {
      input_ = builder.convert(input, plain_desc(input_dims_, type));
      output_ = builder.tensor(plain_desc(builder.dims(planned.output), type));
      builder.use(input_.result);
      builder.tick();
    });
  }

  void forward(const Pass& pass) override {
    input_.run(*pass.library);
    if (bfloat16()) {
      forward_as<Bfloat16>();
    } else {
      forward_as<float>();
    }
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    return checked("backward of average pooling", [&] {
      output_gradient_ = builder.convert(output_gradient, output_->desc);
      input_gradient_ = builder.tensor(input_.result->desc);
      builder.use(output_gradient_.result);
      builder.tick();
      return input_gradient_;
    });
  }

  void backward(const Pass& pass) override {
    if (input_gradient_ == nullptr) return;
    output_gradient_.run(*pass.library);
    if (bfloat16()) {
      backward_as<Bfloat16>();
    } else {
      backward_as<float>();
    }
  }

 private:
  bool bfloat16() const { return data_type_of(output_->desc) == memory::data_type::bf16; }

  template <typename Element>
  void forward_as() const {
    const auto* in = static_cast<const Element*>(input_.result->values.get_data_handle());
    auto* out = static_cast<Element*>(output_->values.get_data_handle());
    const std::int64_t maps = input_dims_[0] * input_dims_[1], area = input_dims_[2] * input_dims_[3];
#pragma omp parallel for schedule(static)
    for (std::int64_t map = 0; map < maps; ++map) {
      average_map(in + map * area, input_dims_[2], input_dims_[3], outputs_, out + map * outputs_ * outputs_);
    }
  }

  template <typename Element>
  void backward_as() const {
    const auto* out = static_cast<const Element*>(output_gradient_.result->values.get_data_handle());
    auto* in = static_cast<Element*>(input_gradient_->values.get_data_handle());
    const std::int64_t maps = input_dims_[0] * input_dims_[1], area = input_dims_[2] * input_dims_[3];
#pragma omp parallel for schedule(static)
    for (std::int64_t map = 0; map < maps; ++map) {
      spread_map(out + map * outputs_ * outputs_, input_dims_[2], input_dims_[3], outputs_, in + map * area);
    }
  }

  memory::dims input_dims_;
  std::int64_t outputs_;
  Conversion input_, output_gradient_;
  Tensor* input_gradient_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const AdaptiveAveragePool& layer,
                                const PlannedOperation& planned, Tensor* input) {
  return std::make_unique<AdaptiveAveragePoolOperation>(builder, layer, planned, input);
}

}  // namespace convoy::cpu
