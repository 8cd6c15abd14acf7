#include "engine/cuda/convolution_library.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "device/cuda/check.hpp"

namespace convoy::cuda {

std::size_t ConvolutionShape::filter_elements() const {
  return static_cast<std::size_t>(output.channels) * static_cast<std::size_t>(input.channels / groups) *
         static_cast<std::size_t>(kernel) * static_cast<std::size_t>(kernel);
}

// An algorithm on tensor cores copies an input of 3 channels to one of 8, and may convert both maps. With a
// limit of the operands' size, on an H200, conv1's backward pass took 4.1 ms for 384 images where it took 1.0
// for 256, whose padded copy was within the limit.
std::size_t ConvolutionShape::workspace_limit() const {
  constexpr std::size_t least = std::size_t{256} << 20;
  constexpr int channels_of_tensor_cores = 8;
  const auto padded_bytes = [&](const MapShape& map) {
    const int group = map.channels / groups;
    const int padded =
        (group + channels_of_tensor_cores - 1) / channels_of_tensor_cores * channels_of_tensor_cores;
    return map.bytes() / static_cast<std::size_t>(group) * static_cast<std::size_t>(padded);
  };
  return least + 2 * (padded_bytes(input) + padded_bytes(output) + filter_bytes());
}

namespace {

// Of a form that is tried beside others.
std::vector<ConvolutionPlan> some_legacy_plans(const ConvolutionRequest& request, ConvolutionPass pass) {
  constexpr std::size_t most_tried = 6;
  std::vector<ConvolutionPlan> plans = legacy_plans(request, pass);
  if (!request.deterministic && plans.size() > most_tried) plans.resize(most_tried);
  return plans;
}

// On slices without the fused call, which was wrong for groups in some versions and slow on an H200: bias and
// ReLU follow for all slices at once.
std::vector<ConvolutionPlan> first_legacy_plans(const ConvolutionRequest& request, ConvolutionPass pass) {
  constexpr std::size_t most_tried = 2;
  std::vector<ConvolutionPlan> plans = legacy_plans(request, pass);
  if (pass == ConvolutionPass::forward)
    std::erase_if(plans, [](const ConvolutionPlan& plan) { return !plan.leaves_bias; });
  if (plans.size() > most_tried) plans.resize(most_tried);
  return plans;
}

// A plan that a question offers.
struct Offer {
  ConvolutionPlan plan;
  std::optional<PreparedConvolution> prepared;
  bool tried = false, runs = false;
};

// Whether a plan runs here. It says in many ways that it does not; a device that fails is another matter.
bool runs(Offer& offer, const Libraries& libraries, const ConvolutionScratch& scratch,
          ConvolutionOperands operands) {
  if (!offer.tried) offer.prepared = offer.plan.prepare();
  offer.tried = true;
  if (!offer.prepared) return false;
  operands.workspace = scratch.workspace(offer.prepared->workspace_bytes);
  if (operands.workspace == nullptr && offer.prepared->workspace_bytes > 0) return false;
  offer.runs = offer.prepared->run(operands) == CUDNN_STATUS_SUCCESS;
  if (!offer.runs) {
    static_cast<void>(cudaGetLastError());  // what a refused launch has left
    check(cudaStreamSynchronize(libraries.stream()), offer.plan.name.c_str());
  }
  return offer.runs;
}

}  // namespace

LibraryConvolution::LibraryConvolution(const Libraries& libraries, std::string name,
                                       const ConvolutionShape& shape, Precision precision, bool relu)
    : libraries_(&libraries),
      name_(std::move(name)),
      shape_(shape),
      precision_(precision),
      relu_(relu),
      gradient_elements_(shape.filter_elements()) {
  // Refuses a map that the library cannot describe now, not when plans are chosen.
  describe(shape.input);
  describe(shape.output);
}

std::vector<ConvolutionPlan> LibraryConvolution::plans(ConvolutionPass pass, bool deterministic) const {
  return plans_on(*libraries_, pass, deterministic);
}

std::vector<ConvolutionPlan> LibraryConvolution::plans_on(const Libraries& libraries, ConvolutionPass pass,
                                                          bool deterministic) const {
  const ConvolutionRequest request{.libraries = &libraries,
                                   .shape = shape_,
                                   .precision = precision_,
                                   .relu = relu_,
                                   .deterministic = deterministic};
  std::vector<ConvolutionPlan> plans;
  const auto add = [&](std::vector<ConvolutionPlan> more) {
    for (ConvolutionPlan& plan : more) plans.push_back(finished(std::move(plan), request, pass, gather_));
  };
  // A grouped convolution has three forms, so that there are fewer plans of each.
  const PlanMaker by_graph = [most = shape_.groups > 1 ? 2U : 3U](const ConvolutionRequest& each,
                                                                  ConvolutionPass of) {
    return graph_plans(each, of, most);
  };
  if (shape_.groups == 1) {
    add(legacy_plans(request, pass));
    add(by_graph(request, pass));
    return plans;
  }
  // On tensor cores the dense form is the faster one; full float32 pays for each product with a zero.
  const bool dense_first = precision_ != Precision::fp32;
  if (!dense_first) add(legacy_plans(request, pass));
  add(dense_plans(request, pass, some_legacy_plans));
  if (dense_first) add(legacy_plans(request, pass));
  add(slice_plans(request, pass, first_legacy_plans));
  add(dense_plans(request, pass, by_graph));
  add(by_graph(request, pass));
  add(slice_plans(request, pass, by_graph));
  return plans;
}

std::string LibraryConvolution::title(ConvolutionPass pass) const {
  if (pass == ConvolutionPass::forward) return name_ + ", forward";
  return name_ + (pass == ConvolutionPass::backward_data ? ", gradient of inputs" : ", gradient of weights");
}

std::string LibraryConvolution::key(ConvolutionPass pass) const {
  const char* const kind = pass == ConvolutionPass::forward         ? (relu_ ? "forward relu" : "forward")
                           : pass == ConvolutionPass::backward_data ? "backward data"
                                                                    : "backward filter";
  return fmt::format(
      "cuda convolution {}{} {} {}x{}x{}x{} to {}x{}x{} kernel {} stride {} padding {} groups {}", kind,
      pass == ConvolutionPass::backward_filter && gather_ ? " gathered" : "",
      word_of(precision_words(), precision_), shape_.input.rows, shape_.input.channels, shape_.input.height,
      shape_.input.width, shape_.output.channels, shape_.output.height, shape_.output.width, shape_.kernel,
      shape_.stride, shape_.padding, shape_.groups);
}

void LibraryConvolution::choose(Tuner& tuner, const ConvolutionRule& rule,
                                const ConvolutionScratch& scratch) {
  forward_ = ask(tuner, ConvolutionPass::forward, rule.deterministic, scratch);
  if (!rule.training) return;
  if (input_gradient_)
    backward_data_ = ask(tuner, ConvolutionPass::backward_data, rule.deterministic, scratch);
  backward_filter_ = ask(tuner, ConvolutionPass::backward_filter, rule.deterministic, scratch);
  if (input_gradient_ && branch_ != nullptr) ask_for_branch(tuner, rule.deterministic, scratch);
}

// The plan is made anew for the branch's handle. All ranks ask, also one on which that fails.
void LibraryConvolution::ask_for_branch(Tuner& tuner, bool deterministic, const ConvolutionScratch& scratch) {
  std::vector<ConvolutionPlan> plans =
      plans_on(branch_->libraries(), ConvolutionPass::backward_filter, deterministic);
  const auto same = std::ranges::find(plans, backward_filter_.name, &ConvolutionPlan::name);
  Chosen on_branch{.name = backward_filter_.name, .plan = {}};
  if (same != plans.end()) on_branch.plan = same->prepare().value_or(PreparedConvolution{});
  bool ran_beside = false;
  TrialSetup weights = trial_setup(ConvolutionPass::backward_filter, scratch);
  weights.operands.result = weights.result.data = scratch.filter_gradient;
  TrialSetup inputs = trial_setup(ConvolutionPass::backward_data, scratch);
  inputs.operands.result = scratch.input_gradient;
  weights.inputs.push_back(inputs.inputs.front());  // the filter
  const cudaStream_t stream = libraries_->stream();
  const auto run = [&](bool beside) {
    const Chosen& plan = beside ? on_branch : backward_filter_;
    if (!plan.plan.run) return false;
    const std::size_t own = plan.plan.workspace_bytes, of_inputs = backward_data_.plan.workspace_bytes;
    const std::size_t shared = beside ? of_inputs : std::max(own, of_inputs);
    inputs.operands.workspace = scratch.workspace(shared);
    weights.operands.workspace = beside ? scratch.side_workspace(own) : inputs.operands.workspace;
    if ((inputs.operands.workspace == nullptr && shared > 0) ||
        (weights.operands.workspace == nullptr && own > 0))
      return false;
    if (beside) branch_->fork(stream);
    this->run(plan, ConvolutionPass::backward_filter, weights.operands);
    this->run(backward_data_, ConvolutionPass::backward_data, inputs.operands);
    if (beside) branch_->join(stream);
    ran_beside |= beside;
    return true;
  };
  DeviceBench bench(stream, weights.inputs, weights.result);
  beside_ =
      runs_beside(tuner,
                  {.layer = name_,
                   .key = fmt::format("{} by {}, and of inputs by {}", key(ConvolutionPass::backward_filter),
                                      backward_filter_.name, backward_data_.name),
                   .tolerance = result_tolerance(precision_, shape_.input.element),
                   .run = run},
                  bench);
  if (!beside_) return;
  // As in ask().
  if (!ran_beside && !run(true))
    fail(ExitCode::device,
         "this rank does not compute both gradients of {} side by side, although rank 0 does", name_);
  backward_filter_ = std::move(on_branch);
}

LibraryConvolution::TrialSetup LibraryConvolution::trial_setup(ConvolutionPass pass,
                                                               const ConvolutionScratch& scratch) const {
  const Element element = shape_.input.element;
  const TrialOperand input{scratch.input, shape_.input.bytes(), element};
  const TrialOperand output{scratch.output, shape_.output.bytes(), element};
  const TrialOperand filter{scratch.filter, filter_bytes(), element};
  if (pass == ConvolutionPass::backward_data)
    return {{.first = filter.data, .second = output.data, .result = input.data}, {filter, output}, input};
  if (pass == ConvolutionPass::backward_filter)
    return {{.first = input.data, .second = output.data, .result = filter.data},
            {input, output},
            {filter.data, gradient_bytes(), Element::float32}};
  // The bias is taken from the beginning of the filter, which has at least as many elements.
  return {{.first = input.data, .second = filter.data, .bias = filter.data, .result = output.data},
          {input, filter},
          output};
}

LibraryConvolution::Chosen LibraryConvolution::ask(Tuner& tuner, ConvolutionPass pass, bool deterministic,
                                                   const ConvolutionScratch& scratch) const {
  const TrialSetup trial = trial_setup(pass, scratch);
  std::vector<Offer> offers;
  for (ConvolutionPlan& plan : plans(pass, deterministic)) offers.emplace_back().plan = std::move(plan);
  // Some plans round a filter's gradient to the maps' element on its way to float32.
  Question question{.what = title(pass),
                    .key = key(pass),
                    .tolerance = result_tolerance(precision_, shape_.input.element),
                    .candidates = {}};
  if (offers.empty()) {
    fail(ExitCode::device, "cuDNN has no {}algorithm for {} within {} MiB of workspace",
         deterministic ? "deterministic " : "", question.what, workspace_limit() >> 20);
  }
  for (Offer& offer : offers)
    question.candidates.push_back(
        {.name = offer.plan.name,
         .run = [&, this] { return runs(offer, *libraries_, scratch, trial.operands); },
         .deterministic = offer.plan.deterministic});
  DeviceBench bench(libraries_->stream(), trial.inputs, trial.result);
  Offer& chosen = offers[tuner.choose(question, bench)];
  // Rank 0's choice, or one that was made before: it may not have run here, and its first run must not be in
  // a capture, since kernels are loaded then.
  if (!chosen.runs && !runs(chosen, *libraries_, scratch, trial.operands))
    fail(ExitCode::device, "cuDNN does not compute {} by {} on this rank, although it does on rank 0",
         question.what, chosen.plan.name);
  return {chosen.plan.name, std::move(*chosen.prepared)};
}

std::size_t LibraryConvolution::workspace_bytes() const {
  return std::max({forward_.plan.workspace_bytes, backward_data_.plan.workspace_bytes,
                   beside_ ? 0 : backward_filter_.plan.workspace_bytes});
}

void LibraryConvolution::run(const Chosen& chosen, ConvolutionPass pass,
                             const ConvolutionOperands& operands) const {
  const cudnnStatus_t status = chosen.plan.run(operands);
  if (status != CUDNN_STATUS_SUCCESS) check(status, (title(pass) + " by " + chosen.name).c_str());
}

void LibraryConvolution::forward(const void* input, const void* filter, const void* bias, void* output,
                                 void* workspace) const {
  run(forward_, ConvolutionPass::forward,
      {.first = input, .second = filter, .bias = bias, .result = output, .workspace = workspace});
}

void LibraryConvolution::backward_data(const void* filter, const void* output_gradient, void* input_gradient,
                                       void* workspace) const {
  run(backward_data_, ConvolutionPass::backward_data,
      {.first = filter, .second = output_gradient, .result = input_gradient, .workspace = workspace});
}

void LibraryConvolution::backward_filter(const void* input, const void* output_gradient, float* gradient,
                                         bool add, void* workspace) const {
  run(backward_filter_, ConvolutionPass::backward_filter,
      {.first = input, .second = output_gradient, .result = gradient, .add = add, .workspace = workspace});
}

}  // namespace convoy::cuda
