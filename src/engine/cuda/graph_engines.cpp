#include "engine/cuda/graph_engines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace convoy::cuda {

namespace {

// Long enough that those which a rule excludes do not hide the others.
constexpr std::size_t most_asked = 24;

std::vector<BackendDescriptor> offered(const OperationGraph& graph, cudnnBackendHeurMode_t mode) {
  BackendDescriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set_part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, *graph.graph);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (!heuristics.finalize()) return {};
  return heuristics.parts(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, most_asked);
}

// Settings are pairs of numbers whose meaning the library does not document.
std::string settings_of(const BackendDescriptor& configuration) {
  std::vector<std::pair<int, std::int64_t>> settings;
  for (const BackendDescriptor& choice :
       configuration.parts(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR,
                           configuration.part_count(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES))) {
    const auto type = choice.values<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, 1);
    if (!type.empty())
      settings.emplace_back(type.front(), choice.number(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, 0));
  }
  std::ranges::sort(settings);
  std::string text;
  for (const auto& [type, value] : settings) text += fmt::format(" {}:{}", type, value);
  return text;
}

// None where the rule excludes it.
std::optional<GraphEngine> described(BackendDescriptor configuration, const EngineRule& rule) {
  const std::vector<BackendDescriptor> engines =
      configuration.parts(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
  if (engines.empty()) return std::nullopt;
  const BackendDescriptor& engine = engines.front();
  const auto notes = engine.values<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                                CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  const auto has = [&](cudnnBackendNumericalNote_t note) {
    return std::ranges::find(notes, note) != notes.end();
  };
  const bool deterministic = !has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
  if (has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS) ||
      has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) ||
      (has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) && !rule.tensor_cores) || (rule.deterministic && !deterministic))
    return std::nullopt;
  return GraphEngine{
      .name = fmt::format("graph engine {}{}", engine.number(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, -1),
                          settings_of(configuration)),
      .deterministic = deterministic,
      .configuration = std::move(configuration)};
}

}  // namespace

std::vector<GraphEngine> graph_engines(const OperationGraph& graph, const EngineRule& rule) {
  std::vector<GraphEngine> result;
  if (!graph.graph || !graph.graph->sound()) return result;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (BackendDescriptor& configuration : offered(graph, mode)) {
      if (result.size() == rule.most) break;
      std::optional<GraphEngine> engine = described(std::move(configuration), rule);
      if (engine && std::ranges::find(result, engine->name, &GraphEngine::name) == result.end())
        result.push_back(std::move(*engine));
    }
    if (!result.empty()) break;
  }
  return result;
}

ExecutionPlan::ExecutionPlan(const Libraries& libraries, std::shared_ptr<const OperationGraph> graph,
                             std::shared_ptr<const GraphEngine> engine)
    : libraries_(&libraries),
      graph_(std::move(graph)),
      engine_(std::move(engine)),
      plan_(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
  plan_.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, libraries_->cudnn());
  plan_.set_part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, engine_->configuration);
  plan_.finalize();
  workspace_bytes_ = static_cast<std::size_t>(
      std::max<std::int64_t>(plan_.number(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, 0), 0));
}

std::unique_ptr<ExecutionPlan> ExecutionPlan::make(const Libraries& libraries,
                                                   std::shared_ptr<const OperationGraph> graph,
                                                   std::shared_ptr<const GraphEngine> engine) {
  std::unique_ptr<ExecutionPlan> result(new ExecutionPlan(libraries, std::move(graph), std::move(engine)));
  return result->plan_.sound() ? std::move(result) : nullptr;
}

cudnnStatus_t ExecutionPlan::run(const std::vector<TensorPlace>& tensors, void* workspace) {
  std::vector<std::int64_t> ids;
  std::vector<void*> pointers;
  for (const TensorPlace& tensor : tensors) {
    ids.push_back(tensor.id);
    pointers.push_back(const_cast<void*>(tensor.data));  // the library has one type for all
  }
  if (!pack_ || pointers != pointers_ || workspace != workspace_) {
    BackendDescriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set_all<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids);
    pack.set_all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers);
    if (workspace_bytes_ > 0) pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
    if (!pack.finalize()) return CUDNN_STATUS_BAD_PARAM;
    pack_ = std::move(pack);
    pointers_ = std::move(pointers);
    workspace_ = workspace;
  }
  return cudnnBackendExecute(libraries_->cudnn(), plan_.get(), pack_->get());
}

}  // namespace convoy::cuda
