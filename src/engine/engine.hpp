// Makes replicas: the one place where a device is chosen.
#pragma once

#include <memory>
#include <string>

#include "engine/replica.hpp"

namespace convoy {

enum class DeviceKind { automatic, cpu, cuda };

struct ReplicaOptions {
  DeviceKind device = DeviceKind::automatic;
  int threads = 0;              // CPU threads of this rank; 0: its share of the cores it may run on
  OptimizerSettings optimizer;  // decides the slots
  bool for_training = true;     // false: no gradients or slots are allocated
};

// Throws ExitCode::usage when the device is not available, saying what is missing.
std::unique_ptr<Replica> make_replica(const NetSpec& spec, const InputSpec& input,
                                      const ReplicaOptions& options);

// Why `precision` cannot be used on `device` of this machine; empty when it can.
std::string precision_refusal(DeviceKind device, Precision precision);

}  // namespace convoy
