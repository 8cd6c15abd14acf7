// The engines by which cuDNN's graph API offers to run a graph of operations, and a plan of one of them that
// can be executed. For graph_convolution.cpp.
#pragma once

#include <cudnn.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/cuda/backend_descriptor.hpp"
#include "engine/cuda/libraries.hpp"

namespace convoy::cuda {

// A graph of operations, with everything that it is made of: kept as long as a plan of it, since nothing
// says that the library copies them.
struct OperationGraph {
  std::deque<BackendDescriptor> parts;  // a deque: references stay valid
  std::optional<BackendDescriptor> graph;

  BackendDescriptor& add(cudnnBackendDescriptorType_t type) { return parts.emplace_back(type); }
};

// An engine with its settings, as the heuristics offer it.
struct GraphEngine {
  std::string name;  // engine and settings: the same in every start with the same version of the library
  bool deterministic = true;
  BackendDescriptor configuration;
};

// Which engines may be used.
struct EngineRule {
  bool deterministic = true;  // only those that repeat their bits
  bool tensor_cores = false;  // also those with inputs of float32 rounded to tf32
  std::size_t most = 0;       // as many as this, the most promising ones
};

// By the heuristics, the most promising engine first; none where the library does not serve the graph. No
// engine is made ready: some are compiled then, which takes hundreds of milliseconds.
std::vector<GraphEngine> graph_engines(const OperationGraph& graph, const EngineRule& rule);

// A tensor of a graph and where it is in this call.
struct TensorPlace {
  std::int64_t id = 0;
  const void* data = nullptr;
};

// An engine that is ready to run.
class ExecutionPlan {
 public:
  // None where the library refuses to make it.
  static std::unique_ptr<ExecutionPlan> make(const Libraries& libraries,
                                             std::shared_ptr<const OperationGraph> graph,
                                             std::shared_ptr<const GraphEngine> engine);

  std::size_t workspace_bytes() const { return workspace_bytes_; }
  // Enqueues it on the libraries' stream. It may be captured.
  cudnnStatus_t run(const std::vector<TensorPlace>& tensors, void* workspace);

 private:
  ExecutionPlan(const Libraries& libraries, std::shared_ptr<const OperationGraph> graph,
                std::shared_ptr<const GraphEngine> engine);

  const Libraries* libraries_;
  std::shared_ptr<const OperationGraph> graph_;
  std::shared_ptr<const GraphEngine> engine_;
  BackendDescriptor plan_;
  std::size_t workspace_bytes_ = 0;
  // The pointers of the last run: those of a program's operation never change.
  std::vector<void*> pointers_;
  void* workspace_ = nullptr;
  std::optional<BackendDescriptor> pack_;
};

}  // namespace convoy::cuda
