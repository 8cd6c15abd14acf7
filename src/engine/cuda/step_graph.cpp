#include "engine/cuda/step_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "device/cuda/check.hpp"

namespace convoy::cuda {

namespace {

struct GraphDeleter {
  void operator()(cudaGraph_t graph) const noexcept { cudaGraphDestroy(graph); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, GraphDeleter>;

bool same_program(const std::weak_ptr<const int>& one, const std::weak_ptr<const int>& other) {
  return !one.owner_before(other) && !other.owner_before(one);
}

std::string words(cudaError_t status, const char* what) {
  cudaGetLastError();  // reported here, not by the next call
  return fmt::format("{}: {} ({})", what, cudaGetErrorString(status), cudaGetErrorName(status));
}

// While it lives, the stream records what is enqueued. Thread-local: what loaders and the watchdog do in
// their threads is none of the capture's business.
class Capture {
 public:
  explicit Capture(cudaStream_t stream) : stream_(stream) {
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "beginning to record a step");
  }
  // Where an exception passes, the stream comes back from recording and the graph is thrown away.
  ~Capture() {
    if (open_) static_cast<void>(end());
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  std::pair<cudaError_t, Graph> end() {
    open_ = false;
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(stream_, &graph);
    if (status != cudaSuccess) cudaGetLastError();
    return {status, Graph(graph)};
  }

 private:
  cudaStream_t stream_;
  bool open_ = true;
};

class Flag {
 public:
  explicit Flag(bool& flag) : flag_(flag) { flag_ = true; }
  ~Flag() { flag_ = false; }
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;

 private:
  bool& flag_;
};

}  // namespace

void StepGraphs::run(const StepKey& key, cudaStream_t stream, bool capturable, StepTrace& trace,
                     const std::function<void()>& enqueue) {
  if (runs_directly(key, capturable)) {
    enqueue();
    return;
  }
  Recorded* recorded = find(key);
  if (recorded == nullptr) {
    std::string refusal;
    Executable executable = record(stream, enqueue, refusal);
    if (agree_) follow_rank_zero(executable, refusal);
    if (executable == nullptr) {
      if (use_ == GraphUse::on) {
        fail(ExitCode::device, "--cuda-graph on: the step cannot be recorded as a graph: {}", refusal);
      }
      if (log_ != nullptr)
        log_->warn("steps run without a CUDA graph, since one could not be recorded: {}", refusal);
      given_up_ = true;
      trace = {};
      enqueue();
      return;
    }
    recorded = &graphs_.emplace_back(Recorded{key, trace, std::move(executable)});
  }
  trace = recorded->trace;
  check(cudaGraphLaunch(recorded->executable.get(), stream), "launching a recorded step");
}

void StepGraphs::follow_rank_zero(Executable& executable, std::string& refusal) const {
  const std::string common = agree_(executable == nullptr ? refusal : std::string());
  if (!common.empty()) {
    executable.reset();
    refusal = common;
  } else if (executable == nullptr) {
    fail(ExitCode::device,
         "this rank cannot record its step as a graph, though rank 0 can: {}; use --cuda-graph off", refusal);
  }
}

bool StepGraphs::runs_directly(const StepKey& key, bool capturable) {
  if (use_ == GraphUse::on && !capturable) {
    fail(ExitCode::usage,
         "--cuda-graph on: this step cannot be recorded, since the host takes part in it (gradients "
         "reduced by MPI do that): use --collective nccl, or --cuda-graph auto");
  }
  if (use_ == GraphUse::off || !capturable || given_up_) return true;
  std::erase_if(known_, [](const std::weak_ptr<const int>& program) { return program.expired(); });
  std::erase_if(graphs_, [](const Recorded& recorded) { return recorded.key.program.expired(); });
  for (const std::weak_ptr<const int>& program : known_) {
    if (same_program(program, key.program)) return false;
  }
  known_.push_back(key.program);
  return true;
}

StepGraphs::Recorded* StepGraphs::find(const StepKey& key) {
  for (Recorded& recorded : graphs_) {
    if (recorded.key.parity == key.parity && recorded.key.place == key.place &&
        same_program(recorded.key.program, key.program)) {
      return &recorded;
    }
  }
  return nullptr;
}

StepGraphs::Executable StepGraphs::record(cudaStream_t stream, const std::function<void()>& enqueue,
                                          std::string& refusal) {
  const Flag flag(capturing_);
  Capture capture(stream);
  try {
    enqueue();
  } catch (const Error& error) {
    // A call that no recording allows, most likely; a device that fails says so again without recording.
    if (error.category() != ExitCode::device) throw;
    refusal = error.what();
    return nullptr;
  }
  const auto [status, graph] = capture.end();
  if (status != cudaSuccess) {
    refusal = words(status, "ending the recording");
    return nullptr;
  }
  cudaGraphExec_t executable = nullptr;
  const cudaError_t made = cudaGraphInstantiate(&executable, graph.get(),
                                                // Sums over ranks keep their stream's priority.
                                                cudaGraphInstantiateFlagUseNodePriority);
  if (made != cudaSuccess) refusal = words(made, "making the graph executable");
  return Executable(executable);
}

}  // namespace convoy::cuda
