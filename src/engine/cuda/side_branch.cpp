#include "engine/cuda/side_branch.hpp"

namespace convoy::cuda {

SideBranch::SideBranch()
    : stream_(make_stream()), libraries_(stream_.get()), forked_(make_event()), joined_(make_event()) {}

SideBranch::~SideBranch() {
  // Errors were reported where they mattered; here the handles only must be out of use.
  cudaStreamSynchronize(stream_.get());
}

void SideBranch::fork(cudaStream_t main) const {
  follow(stream_.get(), main, forked_.get());
}

void SideBranch::join(cudaStream_t main) const {
  follow(main, stream_.get(), joined_.get());
}

bool runs_beside(Tuner& tuner, const BranchQuestion& question, TrialBench& bench) {
  // One after the other comes first: sums over ranks can then start before the gradient of inputs is
  // computed.
  const Question asked{
      .what = question.layer + ", gradients of weights and inputs",
      .key = question.key,
      .tolerance = question.tolerance,
      .candidates = {{.name = "one after the other", .run = [&] { return question.run(false); }},
                     {.name = "side by side", .run = [&] { return question.run(true); }}}};
  return tuner.choose(asked, bench) == 1;
}

}  // namespace convoy::cuda
