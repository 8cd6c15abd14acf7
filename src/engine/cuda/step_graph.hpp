// Records what a step enqueues as a CUDA graph and replays it: one launch in place of some hundred. For
// cuda_training_replica.cpp alone.
//
// A recorded step holds addresses, so there is one graph for each StepKey. Everything that changes from step
// to step lies in the memory that the key names.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <type_traits>

#include "engine/cuda/result_ring.hpp"
#include "engine/engine.hpp"

namespace convoy::cuda {

// What decides which memory a step reads and writes: the program, the half of its staged batches and the
// place of the update's numbers and result.
struct StepKey {
  std::weak_ptr<const int> program;  // StepProgram::lifetime
  int parity = 0, place = 0;
};

class StepGraphs {
 public:
  // `agree`: ReplicaOptions'.
  explicit StepGraphs(const TrainingOptions& options,
                      std::function<std::string(const std::string&)> agree = {})
      : use_(options.cuda_graph), agree_(std::move(agree)), log_(options.log) {}

  // Runs one step on `stream`: the first of a program by calling `enqueue` (libraries load their kernels
  // then, which no capture allows), later ones from a graph where `capturable`. `trace` is what `enqueue`
  // tells of itself, filled in too where it is not called.
  //
  // Where recording fails (also in `enqueue`: ExitCode::device), `automatic` says so once in the log
  // and calls `enqueue` again, as for every later step; `on` throws ExitCode::device. With several
  // ranks rank 0's success counts, for sums over ranks are recorded by all of them or by none: a rank that
  // cannot follow throws ExitCode::device. Whatever else
  // `enqueue` throws is passed on, the capture ended. `on` with a step that is not capturable throws
  // ExitCode::usage.
  void run(const StepKey& key, cudaStream_t stream, bool capturable, StepTrace& trace,
           const std::function<void()>& enqueue);

  // Whether `enqueue` is being recorded just now.
  bool capturing() const { return capturing_; }

  // Forgets every graph: what a step's kernels are has changed.
  void clear() { graphs_.clear(); }

 private:
  struct ExecutableDeleter {
    void operator()(cudaGraphExec_t graph) const noexcept { cudaGraphExecDestroy(graph); }
  };
  using Executable = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, ExecutableDeleter>;
  struct Recorded {
    StepKey key;
    StepTrace trace;
    Executable executable;
  };

  // A program's first step, or one that cannot be recorded.
  bool runs_directly(const StepKey& key, bool capturable);
  Recorded* find(const StepKey& key);
  Executable record(cudaStream_t stream, const std::function<void()>& enqueue, std::string& refusal);

  void follow_rank_zero(Executable& executable, std::string& refusal) const;

  GraphUse use_;
  std::function<std::string(const std::string&)> agree_;
  const Log* log_;
  bool capturing_ = false;
  bool given_up_ = false;
  std::list<Recorded> graphs_;
  std::list<std::weak_ptr<const int>> known_;  // programs whose first step is behind
};

}  // namespace convoy::cuda
