// The CPU engine's door for engine/engine.cpp: no type of oneDNN appears here.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.hpp"

namespace convoy::cpu {

std::unique_ptr<Replica> make_cpu_replica(const NetSpec& spec, const InputSpec& input,
                                          const ReplicaOptions& options);
std::unique_ptr<TrainingReplica> make_cpu_training_replica(const NetSpec& spec, const InputSpec& input,
                                                           const ReplicaOptions& options,
                                                           const TrainingOptions& training);

// Why this CPU cannot train in `precision`; empty when it can.
std::string cpu_precision_refusal(Precision precision);

}  // namespace convoy::cpu
