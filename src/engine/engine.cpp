#include "engine/engine.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "base/error.hpp"
#include "base/host_name.hpp"
#include "device/cpu/cpu_facts.hpp"
#include "device/cuda_devices.hpp"
#include "device/cuda_module.hpp"
#include "engine/cpu/cpu_machine.hpp"
#include "engine/cpu/cpu_replica.hpp"
#include "engine/cuda/cuda_entry.hpp"
#include "engine/tuning/tuning_cache.hpp"

namespace convoy {

namespace {

// With the host, which may be one of many that lacks what the others have, and with what can be done.
std::string option_refusal(const std::string& reason) {
  return reason.empty() ? ""
                        : fmt::format("--device cuda: on {}: {}; or use --device cpu", host_name(), reason);
}

void check_cuda_device(const ReplicaOptions& options) {
  const CudaDevices found = find_cuda_devices();
  if (!found.refusal.empty()) fail(ExitCode::usage, "{}", option_refusal(found.refusal));
  const int count = static_cast<int>(found.devices.size());
  if (options.device_index < 0 || options.device_index >= count)
    fail(ExitCode::usage, "GPU {} was asked for, but this process sees only {}: 0 to {}",
         options.device_index, count, count - 1);
}

std::unique_ptr<Replica> make_cuda_replica(const NetSpec& spec, const InputSpec& input,
                                           const ReplicaOptions& options) {
  check_cuda_device(options);
  std::unique_ptr<Replica> replica;
  CudaModule().entry<cuda::ConvoyMakeCudaReplica>("convoy_make_cuda_replica")(spec, input, options, replica);
  return replica;
}

std::unique_ptr<TrainingReplica> make_cuda_training_replica(const NetSpec& spec, const InputSpec& input,
                                                            const ReplicaOptions& options,
                                                            const TrainingOptions& training) {
  check_cuda_device(options);
  std::unique_ptr<TrainingReplica> replica;
  CudaModule().entry<cuda::ConvoyMakeCudaTrainingReplica>("convoy_make_cuda_training_replica")(
      spec, input, options, training, replica);
  return replica;
}

// Of the first visible GPU that refuses.
std::string cuda_precision_refusal(Precision precision) {
  const CudaDevices found = find_cuda_devices();
  if (!found.refusal.empty()) return option_refusal(found.refusal);
  const CudaModule module;
  auto* refuse = module.entry<cuda::ConvoyCudaPrecisionRefusal>("convoy_cuda_precision_refusal");
  for (const CudaDevice& device : found.devices) {
    std::string refusal;
    refuse(device.major, device.minor, precision, refusal);
    if (!refusal.empty()) return fmt::format("{} ({})", refusal, device.name);
  }
  return {};
}

// The kernel module's version, which the runtime does not say; empty without NVIDIA's driver.
std::string driver_text() {
  std::ifstream version("/proc/driver/nvidia/version");
  std::string line;
  std::getline(version, line);
  return line;
}

std::string cuda_machine_text(int device_index) {
  const CudaDevices found = find_cuda_devices();
  std::string text = fmt::format("{}; {}; {}", found.versions, found.driver, driver_text());
  for (const CudaDevice& device : found.devices) {
    if (device.index != device_index) continue;
    text += fmt::format("; {}, {} MiB, compute capability {}.{}", device.name, device.memory >> 20,
                        device.major, device.minor);
  }
  return text;
}

}  // namespace

std::shared_ptr<TuningMemory> open_tuning_memory(const ReplicaOptions& options) {
  if (options.deterministic || options.tune == TuneMode::off || !options.leads) return nullptr;
  const std::string device =
      resolve_device(options.device) == DeviceKind::cuda
          ? cuda_machine_text(options.device_index)
          : cpu::cpu_machine_text(options.threads > 0 ? options.threads : concurrent_threads());
  return std::make_shared<TuningCache>(tuning_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME")),
                                       fmt::format("Convoy {}; {}", CONVOY_VERSION, device), options.log);
}

std::unique_ptr<Replica> make_replica(const NetSpec& spec, const InputSpec& input,
                                      const ReplicaOptions& options) {
  if (resolve_device(options.device) == DeviceKind::cuda) return make_cuda_replica(spec, input, options);
  return cpu::make_cpu_replica(spec, input, options);
}

std::unique_ptr<TrainingReplica> make_training_replica(const NetSpec& spec, const InputSpec& input,
                                                       const ReplicaOptions& options,
                                                       const TrainingOptions& training) {
  if (resolve_device(options.device) == DeviceKind::cuda)
    return make_cuda_training_replica(spec, input, options, training);
  return cpu::make_cpu_training_replica(spec, input, options, training);
}

DeviceKind resolve_device(DeviceKind device) {
  if (device != DeviceKind::automatic) return device;
  return find_cuda_devices().refusal.empty() ? DeviceKind::cuda : DeviceKind::cpu;
}

std::string device_refusal(DeviceKind device) {
  return device == DeviceKind::cuda ? option_refusal(find_cuda_devices().refusal) : "";
}

std::string precision_refusal(DeviceKind device, Precision precision) {
  if (resolve_device(device) == DeviceKind::cuda) return cuda_precision_refusal(precision);
  return cpu::cpu_precision_refusal(precision);
}

}  // namespace convoy
