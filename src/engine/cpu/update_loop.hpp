// The optimiser's pass over the flat buffers, which takes the gradient's norm too, on the CPU. Work is cut
// into pieces that do not depend on the number of threads, so neither do the results.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "engine/optimizer_table.hpp"
#include "model/parameter_table.hpp"

namespace convoy::cpu {

// Flat buffers of table.size() elements.
struct UpdateBuffers {
  float* parameters = nullptr;
  const float* gradients = nullptr;
  std::array<float*, most_slots> slots = {};  // as many as the optimiser has
};

struct UpdateOutcome {
  bool sound = true;   // all weights that it made are sound (update_arithmetic.hpp)
  double squares = 0;  // of the gradient; not finite when one of its values was not
};

class UpdateLoop {
 public:
  UpdateLoop(const ParameterTable& table, const OptimizerSettings& settings);
  UpdateOutcome run(const UpdateBuffers& buffers, const UpdateStep& step);

 private:
  struct Piece {
    std::size_t parameter = 0, begin = 0, end = 0;  // index into the table; elements of the flat buffers
  };
  OptimizerSettings settings_;
  std::size_t parameters_;
  std::vector<Piece> pieces_;
  std::vector<double> squares_;  // one for each piece
};

// sum[i] += addend[i] for elements [begin, end).
void add_range(const float* addend, float* sum, std::size_t begin, std::size_t end);

}  // namespace convoy::cpu
