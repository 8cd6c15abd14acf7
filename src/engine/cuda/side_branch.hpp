// A second stream beside the compute stream, for two pieces of one operation that do not need each other: in
// backward the gradient of a layer's weights and that of its inputs. One alone may leave a part of the device
// idle, at least in its last blocks. Whether both at a time are faster is measured for each layer. Used by
// convolution_library.cpp and fully_connected.cpp.
#pragma once

#include <functional>
#include <string>

#include "device/cuda/stream.hpp"
#include "engine/cuda/libraries.hpp"
#include "engine/tuning/tuner.hpp"

namespace convoy::cuda {

class SideBranch {
 public:
  // On the current device.
  SideBranch();
  ~SideBranch();  // waits for what is enqueued

  // Handles of its own: a handle of cuDNN serves one stream.
  const Libraries& libraries() const { return libraries_; }
  cudaStream_t stream() const { return stream_.get(); }

  // The branch's further work waits for the present work of `main`, and the reverse. Both may be captured.
  void fork(cudaStream_t main) const;
  void join(cudaStream_t main) const;

 private:
  Stream stream_;
  Libraries libraries_;
  Event forked_, joined_;
};

// Two gradients as a question: `run` enqueues both, the weights' on the branch where it is told so.
struct BranchQuestion {
  std::string layer;
  std::string key;  // of both computations, with the algorithms chosen for them
  double tolerance = 0;
  std::function<bool(bool beside)> run;
};

// Whether the gradient of weights is to run beside that of inputs. `bench` looks at the gradient of weights.
bool runs_beside(Tuner& tuner, const BranchQuestion& question, TrialBench& bench);

}  // namespace convoy::cuda
