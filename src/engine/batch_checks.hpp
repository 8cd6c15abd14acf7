// What an engine holds the images and batches that it is given against, before any of them is computed. Used
// by the programs of both engines when they are compiled and in stage().
#pragma once

#include <cstddef>

#include "data/batch.hpp"
#include "model/net_spec.hpp"

namespace convoy {

class BatchChecks {
 public:
  // `most_rows`: the program's batch. `input` must outlive this. Throws ExitCode::usage when crops are not
  // the network's input.
  BatchChecks(const NetSpec& spec, const InputSpec& input, int most_rows);

  // Throws ExitCode::bad_data for a label that is no class, ExitCode::bug for a batch that is not complete,
  // too large or has crops that reach out of their images.
  void check(const BatchView& batch) const;

 private:
  void check_crop(const SampleTransform& transform) const;

  const InputSpec& input_;
  int most_rows_, classes_;
};

}  // namespace convoy
