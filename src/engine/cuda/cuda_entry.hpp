// The CUDA engine's door for engine/engine.cpp: entry points of the CUDA module. No type of CUDA appears
// here.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.hpp"

namespace convoy::cuda {

// Implemented in cuda_replica.cpp and cuda_training_replica.cpp. Errors are thrown as convoy::Error across
// the boundary.
extern "C" {
using ConvoyMakeCudaReplica = void(const NetSpec& spec, const InputSpec& input, const ReplicaOptions& options,
                                   std::unique_ptr<Replica>& result);  // "convoy_make_cuda_replica"
using ConvoyMakeCudaTrainingReplica =
    void(const NetSpec& spec, const InputSpec& input, const ReplicaOptions& options,
         const TrainingOptions& training,
         std::unique_ptr<TrainingReplica>& result);  // "convoy_make_cuda_training_replica"
// Why a GPU of this compute capability cannot compute in `precision`; empty when it can.
using ConvoyCudaPrecisionRefusal = void(int major, int minor, Precision precision,
                                        std::string& refusal);  // "convoy_cuda_precision_refusal"
}

}  // namespace convoy::cuda
