// Inspection of gradients with the loss scale behind it, and the optimisers, against the CPU's formulas.
#include <array>
#include <cmath>
#include <deque>
#include <limits>
#include <utility>

#include "engine/cuda/kernel_test.hpp"
#include "engine/cuda/kernels.hpp"

namespace convoy::cuda::test {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

class InspectionKernels : public KernelTest {
 protected:
  struct Outcome {
    DeviceStepResult record;
    LossScaleState scale;
    UpdateControl control;
    MetricSums sums;
    std::vector<double> block_sums;
  };

  // Inspects [bounds[0], bounds[1]), [bounds[1], bounds[2]), … last range first, as backward does.
  Outcome inspect_ranges(const std::vector<float>& gradients, const std::vector<std::size_t>& bounds,
                         const LossScaleState& scale, float inverse = 1, const UpdateControl& before = {},
                         bool updated = false) {
    DeviceArray<float> device(gradients, stream());
    const std::size_t blocks = inspection_blocks(gradients.size());
    DeviceArray<double> block_sums(std::vector<double>(blocks, 0.0), stream());
    DeviceArray<MetricSums> sums(std::vector<MetricSums>{{1.5, 2, 3, 4}}, stream());
    DeviceArray<LossScaleState> state(std::vector<LossScaleState>{scale}, stream());
    DeviceArray<UpdateParameters> update(
        std::vector<UpdateParameters>{
            {.ring_place = 2, .inverse_loss_scale = inverse, .number = 5, .beta1 = 0.9, .beta2 = 0.5}},
        stream());
    DeviceArray<UpdateControl> control(std::vector<UpdateControl>{before}, stream());
    PinnedMemory ring(4 * sizeof(DeviceStepResult), "a test's ring");
    for (std::size_t i = bounds.size() - 1; i > 0; --i)
      inspect(stream(), device.data(), bounds[i - 1], bounds[i], block_sums.data());
    finish_inspection(stream(), block_sums.data(), blocks, sums.data(), state.data(), update.data(),
                      control.data(), ring.as<DeviceStepResult>(), updated);
    check(cudaStreamSynchronize(stream()), "inspection");
    return {ring.as<DeviceStepResult>()[2], state.read()[0], control.read()[0], sums.read()[0],
            block_sums.read()};
  }
};

double squares_of(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * double{value};
  return sum;
}

TEST_F(InspectionKernels, SumsSquaresOverWhateverRanges) {
  for (const std::size_t count : {1, 5, 1000, 70003, 200000}) {
    const auto gradients = random_values(count, 0.5F);
    std::vector<std::vector<std::size_t>> divisions{{0, count}};
    if (count > 10) divisions.push_back({0, 4, 8, count / 3, count / 2 + 1, count});
    for (const auto& bounds : divisions) {
      const Outcome outcome = inspect_ranges(gradients, bounds, {});
      EXPECT_NEAR(outcome.record.gradient_squares, squares_of(gradients), 1e-12 * squares_of(gradients));
      EXPECT_EQ(outcome.record.finite, 1);
      EXPECT_EQ(outcome.control.apply, 1);
      for (const double sum : outcome.block_sums) EXPECT_EQ(sum, 0);
    }
  }
}

TEST_F(InspectionKernels, PartsOutsideTheRangesDoNotCount) {
  std::vector<float> gradients(100, 1.0F);
  for (std::size_t i = 0; i < 100; ++i)
    if (i < 13 || i >= 90) gradients[i] = infinity;
  EXPECT_EQ(inspect_ranges(gradients, {13, 50, 90}, {}).record.gradient_squares, 77);
  EXPECT_EQ(inspect_ranges(gradients, {20, 20}, {}).record.gradient_squares, 0);
}

TEST_F(InspectionKernels, TheSameBitsInEveryRun) {
  const auto gradients = random_values(150001, 3);
  const Outcome first = inspect_ranges(gradients, {0, 77777, 150001}, {});
  const Outcome second = inspect_ranges(gradients, {0, 77777, 150001}, {});
  EXPECT_EQ(first.record.gradient_squares, second.record.gradient_squares);
}

TEST_F(InspectionKernels, WritesTheRecordAndEmptiesTheSums) {
  const Outcome outcome = inspect_ranges({3, 4}, {0, 2}, {1024, 0, 0}, 0.5F);
  EXPECT_EQ(outcome.record.metrics.loss, 1.5);
  EXPECT_EQ(outcome.record.metrics.top1, 2);
  EXPECT_EQ(outcome.record.metrics.top5, 3);
  EXPECT_EQ(outcome.record.metrics.samples, 4);
  EXPECT_EQ(outcome.record.gradient_squares, 25);
  EXPECT_EQ(outcome.record.loss_scale, 1024);
  EXPECT_EQ(outcome.control.inverse_loss_scale, 0.5F / 1024);
  EXPECT_EQ(outcome.scale.scale, 1024) << "not dynamic";
  EXPECT_EQ(outcome.scale.good_steps, 0);
  EXPECT_EQ(outcome.sums.loss, 0);
  EXPECT_EQ(outcome.sums.samples, 0);
}

TEST_F(InspectionKernels, HugeGradientsAreFiniteInfiniteOnesNot) {
  EXPECT_EQ(inspect_ranges(std::vector<float>(5000, 3e38F), {0, 5000}, {}).record.finite, 1);
  for (const float bad : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()}) {
    for (const std::size_t place : {std::size_t{0}, std::size_t{4099}, std::size_t{69999}}) {
      std::vector<float> gradients(70000, 1.0F);
      gradients[place] = bad;
      const Outcome outcome = inspect_ranges(gradients, {0, 40000, 70000}, {});
      EXPECT_EQ(outcome.record.finite, 0);
      EXPECT_EQ(outcome.control.apply, 0);
      for (const double sum : outcome.block_sums) EXPECT_EQ(sum, 0) << "emptied even then";
    }
  }
}

TEST_F(InspectionKernels, DynamicLossScale) {
  const std::vector<float> good{1}, bad{infinity};
  const auto after = [&](const std::vector<float>& gradients, LossScaleState state) {
    return inspect_ranges(gradients, {0, 1}, state).scale;
  };
  EXPECT_EQ(after(bad, {1024, 1, 7}).scale, 512);
  EXPECT_EQ(after(bad, {1024, 1, 7}).good_steps, 0);
  EXPECT_EQ(after(bad, {1024, 1, 7, 2}).skipped, 3);
  EXPECT_EQ(after(good, {1024, 1, 7, 2}).skipped, 2);
  EXPECT_EQ(inspect_ranges(good, {0, 1}, {1024, 1, 7, 0}).control.recount, 0);
  const UpdateControl recounted = inspect_ranges(good, {0, 1}, {1024, 1, 7, 2}).control;
  EXPECT_EQ(recounted.recount, 1);
  EXPECT_DOUBLE_EQ(recounted.power1, 0.9 * 0.9 * 0.9);  // the fifth update, two of which were skipped
  EXPECT_DOUBLE_EQ(recounted.power2, 0.5 * 0.5 * 0.5);
  EXPECT_EQ(after(bad, {1, 1, 7}).scale, 1) << "not below 1";
  EXPECT_EQ(after(bad, {1024, 0, 7}).scale, 1024) << "fixed";
  EXPECT_EQ(after(good, {1024, 1, 7}).scale, 1024);
  EXPECT_EQ(after(good, {1024, 1, 7}).good_steps, 8);
  const auto interval = LossScale::growth_interval;
  EXPECT_EQ(after(good, {1024, 1, interval - 2}).scale, 1024);
  EXPECT_EQ(after(good, {1024, 1, interval - 1}).scale, 2048);
  EXPECT_EQ(after(good, {1024, 1, interval - 1}).good_steps, 0);
  EXPECT_EQ(after(good, {16777216, 1, interval - 1}).scale, 16777216) << "at most 2^24";
  EXPECT_EQ(inspect_ranges(bad, {0, 1}, {1024, 1, 7}).record.loss_scale, 1024) << "the step's own";
}

// A record tells of the update before its own, whether the sums are taken before the update or behind it.
TEST_F(InspectionKernels, UnsoundWeightsAreToldOnceWithTheNextRecord) {
  const auto after = [&](bool updated, std::int32_t weights, std::int32_t before) {
    return inspect_ranges({1}, {0, 1}, {}, 1, {.unsound_weights = weights, .unsound_before = before},
                          updated);
  };
  EXPECT_EQ(after(false, 1, 0).record.weights_sound, 0) << "the update before has set it";
  EXPECT_EQ(after(false, 1, 0).control.unsound_weights, 0);
  EXPECT_EQ(after(false, 1, 0).control.unsound_before, 0);
  EXPECT_EQ(after(true, 1, 0).record.weights_sound, 1) << "this step's update has set it";
  EXPECT_EQ(after(true, 1, 0).control.unsound_weights, 0);
  EXPECT_EQ(after(true, 1, 0).control.unsound_before, 1);
  EXPECT_EQ(after(true, 0, 1).record.weights_sound, 0);
  EXPECT_EQ(after(true, 0, 1).control.unsound_before, 0);
  EXPECT_EQ(after(false, 0, 1).record.weights_sound, 0)
      << "a program with a loss scale was compiled meanwhile";
  EXPECT_EQ(after(true, 0, 0).record.weights_sound, 1);
}

class UpdateKernels : public KernelTest {
 protected:
  struct Buffers {
    std::vector<float> parameters;
    std::array<std::vector<float>, most_slots> slots;
    std::vector<float> copy;
  };

  // Three tensors of odd sizes at multiples of 64 elements, cut into pieces of 128 elements.
  static constexpr std::size_t size = 1024;
  static std::vector<UpdatePiece> pieces() {
    std::vector<UpdatePiece> result;
    const std::size_t tensors[3][2] = {{0, 331}, {384, 385}, {448, 1023}};
    for (int tensor = 0; tensor < 3; ++tensor)
      for (std::size_t begin = tensors[tensor][0]; begin < tensors[tensor][1]; begin += 128)
        result.push_back({begin, std::min(begin + 128, tensors[tensor][1]), tensor, 0});
    return result;
  }

  static std::vector<UpdateConstants> constants(OptimizerRule rule) {
    OptimizerSettings settings;
    settings.rule = rule;
    UpdateStep step;
    step.number = 3;
    std::vector<UpdateConstants> result;
    for (const TensorRate& rate : {TensorRate{0.01F, 5e-4F}, TensorRate{0.02F, 0}, TensorRate{0.001F, 0.1F}})
      result.push_back(update_constants(settings, step, rate));
    return result;
  }

  Buffers run(OptimizerRule rule, const Buffers& start, const std::vector<float>& gradients, Element element,
              bool copy, const UpdateControl& state, std::vector<double>* squares = nullptr,
              int pieces_of_a_call = 1000) {
    const auto host_pieces = pieces();
    DeviceArray<UpdatePiece> device_pieces(host_pieces, stream());
    DeviceArray<UpdateConstants> device_constants(constants(rule), stream());
    DeviceArray<UpdateControl> control(std::vector<UpdateControl>{state}, stream());
    DeviceArray<float> parameters(start.parameters, stream()), device_gradients(gradients, stream());
    UpdateArrays arrays{.parameters = parameters.data(), .gradients = device_gradients.data()};
    std::deque<DeviceArray<float>> slots;
    for (std::size_t i = 0; i < start.slots.size(); ++i) {
      slots.emplace_back(start.slots[i], stream());
      if (static_cast<int>(i) < slot_count(rule)) arrays.slots[i] = slots.back().data();
    }
    const DeviceElements narrow(start.copy, element, stream());
    if (copy) arrays.copy = narrow.data();
    arrays.copy_element = element;
    const DeviceArray<double> sums(std::vector<double>(host_pieces.size(), -1.0), stream());
    const int count = static_cast<int>(host_pieces.size());
    for (int first = 0; first < count; first += pieces_of_a_call) {
      update(stream(), rule, device_pieces.data() + first, std::min(pieces_of_a_call, count - first),
             device_constants.data(), control.data(), arrays,
             squares != nullptr ? sums.data() + first : nullptr);
    }
    if (squares != nullptr) *squares = sums.read();
    Buffers result{.parameters = parameters.read(), .slots = {}, .copy = narrow.read()};
    for (std::size_t i = 0; i < slots.size(); ++i) result.slots[i] = slots[i].read();
    return result;
  }

  template <typename Optimizer, std::size_t... Slot>
  static void update_element(const UpdateConstants& c, float gradient, Buffers& b, std::size_t i,
                             std::index_sequence<Slot...> /*slots*/) {
    Optimizer::update(c, gradient, b.parameters[i], b.slots[Slot][i]...);
  }

  static Buffers on_the_host(OptimizerRule rule, Buffers b, const std::vector<float>& gradients,
                             Element element, bool copy, float inverse) {
    const auto all = constants(rule);
    for (const UpdatePiece& piece : pieces()) {
      UpdateConstants c = all[static_cast<std::size_t>(piece.tensor)];
      c.inverse_loss_scale = inverse;
      for (std::size_t i = piece.begin; i < piece.end; ++i) {
        with_optimizer(rule, [&](auto optimizer) {
          update_element<decltype(optimizer)>(c, gradients[i], b, i, SlotNumbers<decltype(optimizer)>{});
        });
        if (copy) b.copy[i] = rounded(b.parameters[i], element);
      }
    }
    return b;
  }

  static Buffers start_values(Element element) {
    Buffers start{
        .parameters = random_values(size, 1), .slots = {}, .copy = random_values(size, 1, element, 4)};
    for (std::size_t i = 0; i < start.slots.size(); ++i)
      start.slots[i] = random_values(size, 0.1F, Element::float32, 2 + static_cast<unsigned>(i));
    // Only the first may be negative: a second moment is none.
    for (std::size_t i = 1; i < start.slots.size(); ++i)
      for (float& value : start.slots[i]) value = std::abs(value);
    return start;
  }
};

std::vector<double> widened(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

TEST_F(UpdateKernels, AreTheFormulasOfTheCpu) {
  const auto gradients = random_values(size, 64, Element::float32, 9);
  for (const OptimizerRule rule : optimizer_rules) {
    for (const Element element : {Element::bfloat16, Element::float16}) {
      for (const bool copy : {true, false}) {
        SCOPED_TRACE(std::to_string(static_cast<int>(rule)) + " " + name_of(element));
        const Buffers start = start_values(element);
        const Buffers result = run(rule, start, gradients, element, copy, {1, 1.0F / 64});
        const Buffers expected = on_the_host(rule, start, gradients, element, copy, 1.0F / 64);
        // The device may contract products into sums: a rounding more or less of terms of size 1.
        expect_close(result.parameters, widened(expected.parameters), 0x1p-22, 0x1p-22);
        for (std::size_t i = 0; i < start.slots.size(); ++i)
          expect_close(result.slots[i], widened(expected.slots[i]), 0x1p-22, 0x1p-22);
        // Such a difference may tip the rounding of the copy, which must be that of the device's own value.
        for (std::size_t i = 0; i < size; ++i) {
          const bool written = copy && expected.parameters[i] != start.parameters[i];
          ASSERT_EQ(result.copy[i], written ? rounded(result.parameters[i], element) : start.copy[i]) << i;
        }
      }
    }
  }
}

// Adam's corrections are those of the updates that were made: of the second, where the first of three was
// skipped.
TEST_F(UpdateKernels, SkippedUpdatesAreNotCounted) {
  const auto gradients = random_values(size, 64, Element::float32, 9);
  const Buffers start = start_values(Element::bfloat16);
  const double power1 = std::pow(double{0.9F}, 2), power2 = std::pow(double{0.999F}, 2);
  const UpdateControl control{
      .apply = 1, .inverse_loss_scale = 1.0F / 64, .recount = 1, .power1 = power1, .power2 = power2};
  const Buffers result = run(OptimizerRule::adam, start, gradients, Element::bfloat16, false, control);
  Buffers expected = start;
  for (const UpdatePiece& piece : pieces()) {
    UpdateConstants c = constants(OptimizerRule::adam)[static_cast<std::size_t>(piece.tensor)];
    c.inverse_loss_scale = 1.0F / 64;
    correct_bias(c, power1, power2);
    for (std::size_t i = piece.begin; i < piece.end; ++i)
      Adam::update(c, gradients[i], expected.parameters[i], expected.slots[0][i], expected.slots[1][i]);
  }
  expect_close(result.parameters, widened(expected.parameters), 0x1p-22, 0x1p-22);
  EXPECT_NE(result.parameters, run(OptimizerRule::adam, start, gradients, Element::bfloat16, false,
                                   {.apply = 1, .inverse_loss_scale = 1.0F / 64})
                                   .parameters);
}

TEST_F(UpdateKernels, NothingChangesWhenAGradientWasNotFinite) {
  const auto gradients = std::vector<float>(size, infinity);
  const Buffers start = start_values(Element::bfloat16);
  for (const OptimizerRule rule : optimizer_rules) {
    const Buffers result = run(rule, start, gradients, Element::bfloat16, true, {0, 1});
    EXPECT_EQ(result.parameters, start.parameters);
    EXPECT_EQ(result.slots, start.slots);
    EXPECT_EQ(result.copy, start.copy);
  }
}

// With sums of squares: the same update, with the constants' own factor, whatever `control` says; the sums
// and the weights do not depend on how many pieces a call takes.
TEST_F(UpdateKernels, TakeTheNormInTheSamePass) {
  const auto gradients = random_values(size, 64, Element::float32, 9);
  for (const OptimizerRule rule : optimizer_rules) {
    for (const bool copy : {true, false}) {
      const Buffers start = start_values(Element::bfloat16);
      const Buffers expected = run(rule, start, gradients, Element::bfloat16, copy, {1, 1});
      std::vector<double> sums;
      for (const int pieces_of_a_call : {1000, 1, 4}) {
        std::vector<double> squares;
        const Buffers result =
            run(rule, start, gradients, Element::bfloat16, copy, {0, 8}, &squares, pieces_of_a_call);
        EXPECT_EQ(result.parameters, expected.parameters);
        EXPECT_EQ(result.slots, expected.slots);
        EXPECT_EQ(result.copy, expected.copy);
        if (sums.empty()) sums = squares;
        EXPECT_EQ(squares, sums);
      }
      const auto host_pieces = pieces();
      ASSERT_EQ(sums.size(), host_pieces.size());
      for (std::size_t i = 0; i < sums.size(); ++i) {
        const UpdatePiece& piece = host_pieces[i];
        const double wanted = squares_of(std::span(gradients).subspan(piece.begin, piece.end - piece.begin));
        EXPECT_NEAR(sums[i], wanted, 1e-13 * wanted) << "128 terms in double, in another order";
      }
    }
  }
}

TEST_F(UpdateKernels, SumsOfSquaresShowWhatIsNotFinite) {
  std::vector<float> gradients(size, 1.0F);
  gradients[400] = infinity;  // in no tensor
  std::vector<double> squares;
  run(OptimizerRule::sgd, start_values(Element::bfloat16), gradients, Element::bfloat16, true, {}, &squares);
  for (const double sum : squares) EXPECT_TRUE(std::isfinite(sum));
  for (const float bad : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()}) {
    gradients[330] = bad;  // the first tensor's last element
    run(OptimizerRule::sgd, start_values(Element::bfloat16), gradients, Element::bfloat16, true, {},
        &squares);
    for (std::size_t i = 0; i < squares.size(); ++i) EXPECT_EQ(std::isfinite(squares[i]), i != 2) << i;
  }
}

TEST_F(UpdateKernels, NoPiecesChangeNothing) {
  EXPECT_NO_THROW(update(stream(), OptimizerRule::sgd, nullptr, 0, nullptr, nullptr, {}));
}

}  // namespace
}  // namespace convoy::cuda::test
