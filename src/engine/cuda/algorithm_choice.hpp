// How one of the algorithms that cuDNN lists for a direction of a convolution is chosen: by a fixed order, or
// by trial runs. The three directions have structures of their own with members of the same names, hence the
// templates. For convolution_library.cpp alone.
#pragma once

#include <cudnn.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "engine/cuda/libraries.hpp"
#include "engine/cuda/trial.hpp"

namespace convoy::cuda {

// What one direction of a convolution is chosen for.
struct Wanted {
  std::string what;  // for errors
  bool deterministic = true;
  bool full_float32 = false;  // never on tensor cores
  std::size_t workspace_limit = 0;
  cudaStream_t stream = nullptr;  // of trial runs
};

// Whether a found algorithm is one at all, within the workspace and in the right arithmetic.
template <typename Found>
bool serves(const Found& found, const Wanted& wanted) {
  const bool tensor_cores =
      found.mathType == CUDNN_TENSOR_OP_MATH || found.mathType == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION;
  return found.status == CUDNN_STATUS_SUCCESS && found.memory <= wanted.workspace_limit &&
         !(wanted.full_float32 && tensor_cores);
}

// The first of `order` that the list serves deterministically and whose workspace the library names: what is
// listed but never ran is not always to be had. An algorithm may be listed once for each kind of arithmetic,
// the faster first.
template <typename Found, typename Order, typename Workspace>
const Found* by_rule(const std::vector<Found>& list, const Order& order, const Wanted& wanted,
                     Workspace&& workspace) {
  for (const auto algorithm : order) {
    for (const Found& found : list) {
      if (found.algo != algorithm || !serves(found, wanted) || found.determinism != CUDNN_DETERMINISTIC)
        continue;
      std::size_t bytes = 0;
      if (workspace(found, bytes) == CUDNN_STATUS_SUCCESS && bytes <= wanted.workspace_limit) return &found;
    }
  }
  return nullptr;
}

// The fastest of the first that serve, of a list that the library's heuristics order by the time they expect.
// (cudnnFind… instead runs all of the list on zeros, the slowest too, several times each.)
template <typename Found, typename Workspace, typename Run>
const Found* fastest(const std::vector<Found>& list, const Wanted& wanted, Workspace&& workspace, Run&& run) {
  constexpr int most_tried = 5;
  const Found* best = nullptr;
  float best_time = std::numeric_limits<float>::infinity();
  int tried = 0;
  for (const Found& found : list) {
    std::size_t bytes = 0;
    if (!serves(found, wanted) || workspace(found, bytes) != CUDNN_STATUS_SUCCESS ||
        bytes > wanted.workspace_limit)
      continue;
    const std::optional<float> time = trial_milliseconds(
        wanted.stream, [&] { return run(found, bytes) == CUDNN_STATUS_SUCCESS; }, best_time);
    if (!time) continue;
    if (*time < best_time) best = &found, best_time = *time;
    if (++tried == most_tried) break;
  }
  return best;
}

// An algorithm for one direction. `listed` fills a list of at most the given length; `workspace` asks what a
// listed algorithm takes, and `run` runs it once.
template <typename Found, typename Order, typename Listed, typename Workspace, typename Run>
Found choose_one(const Wanted& wanted, const Order& order, Listed&& listed, Workspace&& workspace,
                 Run&& run) {
  constexpr int longest = 32;
  std::vector<Found> list(longest);
  int returned = 0;
  check(listed(longest, &returned, list.data()), wanted.what.c_str());
  list.resize(static_cast<std::size_t>(returned));
  const Found* found =
      wanted.deterministic ? by_rule(list, order, wanted, workspace) : fastest(list, wanted, workspace, run);
  if (found == nullptr) {
    fail(ExitCode::device, "cuDNN has no {}algorithm for {} within {} MiB of workspace",
         wanted.deterministic ? "deterministic " : "", wanted.what, wanted.workspace_limit >> 20);
  }
  return *found;
}

}  // namespace convoy::cuda
