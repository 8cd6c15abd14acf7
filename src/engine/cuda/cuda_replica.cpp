#include "engine/cuda/cuda_replica.hpp"

#include <fmt/format.h>

#include <string>

#include "base/error.hpp"
#include "engine/cuda/cuda_entry.hpp"
#include "engine/cuda/cuda_program.hpp"

namespace convoy::cuda {

namespace {

// Empty when a GPU of this compute capability can compute in `precision`.
std::string refusal_of(int major, int minor, Precision precision) {
  const int capability = 10 * major + minor;
  const auto text = [&](const char* name, const char* needed, const char* instead) {
    return fmt::format(
        "--precision {} needs a GPU of compute capability {} or later; this one has {}.{}: use {}", name,
        needed, major, minor, instead);
  };
  switch (precision) {
    case Precision::fp32:
      return {};
    case Precision::tf32:
      return capability >= 80 ? "" : text("tf32", "8.0", "fp32");
    case Precision::bf16:
      return capability >= 80 ? "" : text("bf16", "8.0", capability >= 70 ? "fp16 or fp32" : "fp32");
    case Precision::fp16:
      return capability >= 70 ? "" : text("fp16", "7.0", "fp32");
  }
  return "unknown precision";
}

}  // namespace

bool ProgramCompiler::prepare(const ProgramOptions& options) {
  const std::string refusal = refusal_of(state_.major, state_.minor, options.precision);
  if (!refusal.empty()) fail(ExitCode::usage, "{}", refusal);
  ensure(options.mode == Mode::evaluation || state_.trains(),
         "a training program belongs to a training replica");
  choose_layout(layout_of(options.precision));
  return state_.need_copy(element_of(options.precision));
}

std::unique_ptr<StepProgram> ProgramCompiler::compile(const ProgramOptions& options) {
  std::unique_ptr<StepProgram> program =
      std::make_unique<CudaProgram>(state_.resources(options.precision), options);
  state_.tuner->report();
  compiled_.push_back({program->lifetime(), layout_of(options.precision)});
  return program;
}

void ProgramCompiler::choose_layout(Layout layout) {
  std::erase_if(compiled_, [](const Compiled& compiled) { return compiled.program.expired(); });
  for (const Compiled& compiled : compiled_) {
    if (compiled.layout != layout) {
      fail(ExitCode::usage,
           "a replica on a GPU computes either in fp32 or in tf32, bf16 and fp16, which keep filters in "
           "another order: use one precision for training and validation");
    }
  }
  state_.use_layout(layout);
}

extern "C" void convoy_make_cuda_replica(const NetSpec& spec, const InputSpec& input,
                                         const ReplicaOptions& options, std::unique_ptr<Replica>& result) {
  result = std::make_unique<OnGpu<Replica>>(spec, input, options);
}

extern "C" void convoy_cuda_precision_refusal(int major, int minor, Precision precision,
                                              std::string& refusal) {
  refusal = refusal_of(major, minor, precision);
}

}  // namespace convoy::cuda
