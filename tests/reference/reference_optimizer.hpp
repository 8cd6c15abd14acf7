// The optimisers in double precision, for tests of Replica::update and of whole training runs.
#pragma once

#include <vector>

#include "engine/optimizer_table.hpp"
#include "model/parameter_table.hpp"

namespace convoy::test {

class ReferenceOptimizer {
 public:
  ReferenceOptimizer(const OptimizerSettings& settings, const ParameterTable& table);

  // One update of `parameters`; returns ‖gradient × inverse_loss_scale‖.
  double update(const UpdateStep& step, const std::vector<double>& gradients,
                std::vector<double>& parameters);

  std::vector<double>& slot(int index) { return slots_[static_cast<std::size_t>(index)]; }

 private:
  void update_element(const UpdateStep& step, const TensorRate& rate, std::size_t element, double gradient,
                      double& weight);

  OptimizerSettings settings_;
  const ParameterTable& table_;
  std::vector<std::vector<double>> slots_;
};

}  // namespace convoy::test
