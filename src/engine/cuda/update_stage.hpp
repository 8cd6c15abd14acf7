// Where the numbers of an update (rates, decay, Adam's corrections, the place of its result) wait on the
// device: one entry for each place of the ResultRing, filled by a copy on the copy stream while earlier steps
// compute. Also the pieces into which the update kernel cuts the flat buffers, and their sums of squares. For
// cuda_training_replica.cpp alone.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "device/cuda/memory.hpp"
#include "device/cuda/stream.hpp"
#include "engine/cuda/kernels.hpp"
#include "model/parameter_table.hpp"

namespace convoy::cuda {

class UpdateStage {
 public:
  UpdateStage(const ParameterTable& table, const OptimizerSettings& optimizer);

  // Sends the numbers of `step` to entry `place`, which no unfinished update may read any more.
  void stage(int place, const UpdateStep& step, cudaStream_t copy);

  // Makes `compute` wait for what was staged last, unless it does already. Never inside a capture.
  void arrive(cudaStream_t compute);

  const UpdateParameters* parameters(int place) const;
  const UpdateConstants* constants(int place) const;
  const UpdatePiece* pieces() const { return pieces_.as<UpdatePiece>(); }
  int piece_count() const { return static_cast<int>(piece_ends_.size()); }
  // How many pieces lie in elements [0, end).
  int pieces_before(std::size_t end) const;
  // One for each piece, of the gradient; written by the update.
  double* squares() const { return squares_.as<double>(); }

 private:
  std::size_t tensors_;
  OptimizerSettings optimizer_;
  std::size_t entry_bytes_;
  PinnedMemory host_;
  DeviceMemory device_;
  DeviceMemory pieces_, squares_;
  std::vector<std::size_t> piece_ends_;
  Event arrived_;
  int staged_ = -1;  // the entry filled last
  bool waited_ = true;
};

}  // namespace convoy::cuda
