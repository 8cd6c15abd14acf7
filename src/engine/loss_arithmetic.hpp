// Softmax, cross-entropy and the rank of the true class for one sample, for the CPU's loop (a thread takes a
// row) and the GPU's kernel (which splits the sums over its threads and calls the element functions).
#pragma once

#include <cmath>
#include <cstdint>

#include "base/host_device.hpp"

namespace convoy {

// Whether class `other` ranks before `truth`: a higher score, or an equal one and a lower index. A score that
// is not a number ranks before everything, so that a broken network is never counted as right.
CONVOY_HOST_DEVICE inline bool ranks_before(float other_score, std::int32_t other, float true_score,
                                            std::int32_t truth) {
  if (other == truth) return false;
  return !(other_score <= true_score) || (other_score == true_score && other < truth);
}

// d(−ln p_truth)/d(score) × scale.
CONVOY_HOST_DEVICE inline float score_gradient(float probability, bool is_truth, float scale) {
  return (probability - (is_truth ? 1.0F : 0.0F)) * scale;
}

struct RowLoss {
  double loss = 0;        // −ln p(truth)
  std::int32_t rank = 0;  // classes that rank before the true one
};

// Softmax of `scores` into `probabilities` (classes each), and loss and rank of `truth`.
inline RowLoss softmax_row(const float* scores, std::int32_t classes, std::int32_t truth,
                           float* probabilities) {
  float highest = scores[0];
  for (std::int32_t c = 1; c < classes; ++c) highest = scores[c] > highest ? scores[c] : highest;
  double sum = 0;
  for (std::int32_t c = 0; c < classes; ++c) {
    probabilities[c] = std::exp(scores[c] - highest);
    sum += double{probabilities[c]};
  }
  const float inverse = static_cast<float>(1.0 / sum);
  RowLoss result;
  for (std::int32_t c = 0; c < classes; ++c) {
    probabilities[c] *= inverse;
    result.rank += ranks_before(scores[c], c, scores[truth], truth) ? 1 : 0;
  }
  // From the scores, not from p, which may have underflown to 0.
  result.loss = std::log(sum) - (double{scores[truth]} - double{highest});
  return result;
}

}  // namespace convoy
