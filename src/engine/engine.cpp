#include "engine/engine.hpp"

#include "base/error.hpp"
#include "engine/cpu/cpu_replica.hpp"

namespace convoy {

namespace {

// The only place that asks whether there is CUDA.
std::string cuda_refusal() {
  return "--device cuda: this version of Convoy computes on CPUs only; use --device cpu";
}

// `automatic` resolved: a GPU where there is one, else the CPU.
DeviceKind chosen(DeviceKind device) {
  if (device != DeviceKind::automatic) return device;
  return cuda_refusal().empty() ? DeviceKind::cuda : DeviceKind::cpu;
}

}  // namespace

std::unique_ptr<Replica> make_replica(const NetSpec& spec, const InputSpec& input,
                                      const ReplicaOptions& options) {
  if (chosen(options.device) == DeviceKind::cuda) fail(ExitCode::usage, "{}", cuda_refusal());
  return cpu::make_cpu_replica(spec, input, options);
}

std::string precision_refusal(DeviceKind device, Precision precision) {
  if (chosen(device) == DeviceKind::cuda) return cuda_refusal();
  return cpu::cpu_precision_refusal(precision);
}

}  // namespace convoy
