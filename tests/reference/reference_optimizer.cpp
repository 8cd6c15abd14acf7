#include "reference/reference_optimizer.hpp"

#include <cmath>

namespace convoy::test {

ReferenceOptimizer::ReferenceOptimizer(const OptimizerSettings& settings, const ParameterTable& table)
    : settings_(settings),
      table_(table),
      slots_(static_cast<std::size_t>(slot_count(settings.rule)), std::vector<double>(table.size())) {}

void ReferenceOptimizer::update_element(const UpdateStep& step, const TensorRate& tensor, std::size_t element,
                                        double gradient, double& weight) {
  const double rate = tensor.rate, decay = tensor.decay, momentum = settings_.momentum;
  double& first = slots_[0][element];
  switch (settings_.rule) {
    case OptimizerRule::sgd:
      first = momentum * first + gradient + decay * weight;
      weight -= rate * first;
      break;
    case OptimizerRule::sgd_caffe:
      first = momentum * first - rate * decay * weight - rate * gradient;
      weight += first;
      break;
    case OptimizerRule::adam: {
      const double beta1 = settings_.beta1, beta2 = settings_.beta2;
      double& second = slots_[1][element];
      const double g = gradient + decay * weight;
      first = beta1 * first + (1 - beta1) * g;
      second = beta2 * second + (1 - beta2) * g * g;
      const double corrected_first = first / (1 - std::pow(beta1, double(step.number)));
      const double corrected_second = second / (1 - std::pow(beta2, double(step.number)));
      weight -= rate * corrected_first / (std::sqrt(corrected_second) + double{settings_.epsilon});
      break;
    }
  }
}

double ReferenceOptimizer::update(const UpdateStep& step, const std::vector<double>& gradients,
                                  std::vector<double>& parameters) {
  double squares = 0;
  std::size_t index = 0;
  for (const Parameter& parameter : table_.parameters()) {
    const TensorRate rate = step.rates[index++];
    for (std::size_t e = parameter.offset; e < parameter.offset + parameter.elements; ++e) {
      const double gradient = gradients[e] * double{step.inverse_loss_scale};
      squares += gradient * gradient;
      update_element(step, rate, e, gradient, parameters[e]);
    }
  }
  return std::sqrt(squares);
}

}  // namespace convoy::test
