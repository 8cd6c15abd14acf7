// Dropout of a training program: our own loops over Philox, a byte of mask a unit.
#include <cstdint>

#include "engine/bfloat16.hpp"
#include "engine/cpu/operation.hpp"
#include "engine/dropout_arithmetic.hpp"

namespace convoy::cpu {

namespace {

// keep[u] ← whether unit u of one sample is kept.
CONVOY_VECTORISED void draw_mask(DropoutBits bits, std::uint32_t position, std::int64_t units,
                                 std::uint8_t* keep) {
  const std::int64_t whole_blocks = units / 4;
  for (std::int64_t block = 0; block < whole_blocks; ++block) {
    const DropoutKeep four = dropout_keep(bits, position, static_cast<std::uint32_t>(block));
    for (int u = 0; u < 4; ++u) keep[4 * block + u] = static_cast<std::uint8_t>(four.unit[u]);
  }
  if (units % 4 == 0) return;
  const DropoutKeep last = dropout_keep(bits, position, static_cast<std::uint32_t>(whole_blocks));
  for (std::int64_t u = 4 * whole_blocks; u < units; ++u)
    keep[u] = static_cast<std::uint8_t>(last.unit[u % 4]);
}

CONVOY_VECTORISED void apply_mask(const float* in, const std::uint8_t* keep, float scale, std::int64_t units,
                                  float* out) {
  for (std::int64_t u = 0; u < units; ++u) out[u] = keep[u] != 0 ? in[u] * scale : 0.0F;
}

CONVOY_VECTORISED void apply_mask(const Bfloat16* in, const std::uint8_t* keep, float scale,
                                  std::int64_t units, Bfloat16* out) {
  for (std::int64_t u = 0; u < units; ++u) {
    out[u] = to_bfloat16(keep[u] != 0 ? to_float(in[u]) * scale : 0.0F);
  }
}

class DropoutOperation final : public Operation {
 public:
  DropoutOperation(Builder& builder, const Dropout& layer, int number, Tensor* input)
      : scale_(static_cast<float>(1.0 / (1.0 - layer.p))) {
    bits_.layer = static_cast<std::uint32_t>(number);
    bits_.threshold = dropout_threshold(layer.p);
    const memory::dims dimensions = dims_of(input->desc);
    samples_ = dimensions[0];
    units_ = 1;
    for (std::size_t axis = 1; axis < dimensions.size(); ++axis) units_ *= dimensions[axis];
    checked("dropout", [&] {
      // Units are counted channel first, so the loops want that layout (the maps here are small).
      input_ = builder.convert(input, plain_desc(dimensions, builder.activation_type()));
      output_ = builder.tensor(input_.result->desc);
      mask_ = builder.tensor(plain_desc({samples_, units_}, memory::data_type::u8));
      builder.use(input_.result);
      builder.tick();
    });
  }

  void forward(const Pass& pass) override {
    input_.run(*pass.library);
    bits_.seed = pass.context.seed;
    bits_.step = static_cast<std::uint64_t>(pass.context.step);
    auto* keep = static_cast<std::uint8_t*>(mask_->values.get_data_handle());
#pragma omp parallel for schedule(static)
    for (std::int64_t sample = 0; sample < samples_; ++sample) {
      draw_mask(bits_, static_cast<std::uint32_t>(pass.first_position + sample), units_,
                keep + sample * units_);
    }
    run_mask(input_.result, output_);
  }

  Tensor* prepare_backward(Builder& builder, Tensor* output_gradient, bool input_gradient) override {
    if (!input_gradient) return nullptr;
    return checked("backward of dropout", [&] {
      output_gradient_ = builder.convert(output_gradient, output_->desc);
      // In place: nothing else reads this gradient.
      builder.use(output_gradient_.result);
      builder.use(mask_);
      builder.tick();
      return output_gradient_.result;
    });
  }

  void backward(const Pass& pass) override {
    if (output_gradient_.result == nullptr) return;
    output_gradient_.run(*pass.library);
    run_mask(output_gradient_.result, output_gradient_.result);
  }

 private:
  template <typename Element>
  void run_mask_as(const Tensor* from, const Tensor* to) const {
    const auto* in = static_cast<const Element*>(from->values.get_data_handle());
    auto* out = static_cast<Element*>(to->values.get_data_handle());
    const auto* keep = static_cast<const std::uint8_t*>(mask_->values.get_data_handle());
#pragma omp parallel for schedule(static)
    for (std::int64_t sample = 0; sample < samples_; ++sample) {
      const std::int64_t start = sample * units_;
      apply_mask(in + start, keep + start, scale_, units_, out + start);
    }
  }

  void run_mask(const Tensor* from, const Tensor* to) const {
    if (data_type_of(from->desc) == memory::data_type::bf16) {
      run_mask_as<Bfloat16>(from, to);
    } else {
      run_mask_as<float>(from, to);
    }
  }

  DropoutBits bits_;
  float scale_;
  std::int64_t samples_ = 0, units_ = 1;
  Conversion input_, output_gradient_;
  Tensor* mask_ = nullptr;
};

}  // namespace

OperationPointer make_operation(Builder& builder, const Dropout& layer, const PlannedOperation& planned,
                                Tensor* input) {
  return std::make_unique<DropoutOperation>(builder, layer, planned.dropout, input);
}

}  // namespace convoy::cpu
