// Memory that a rank will take, by purpose. On the CPU the engine itself compiles the program, without taking
// the memory; for a GPU, whose libraries cannot be asked without one, gpu_memory.cpp announces the tensors of
// each operation as the engine does. Used by plan.cpp.
#pragma once

#include <string>
#include <vector>

#include "data/batch.hpp"
#include "engine/engine.hpp"
#include "plan/run_schedule.hpp"

namespace convoy {

struct MemoryLine {
  std::string what;
  double bytes = 0;
};

struct RankMemory {
  std::vector<MemoryLine> device, host;  // device: of the engine; on a CPU it is host memory as well
  std::vector<std::string> remarks;      // what is not known without the device
  double device_bytes() const;
  double host_bytes() const;
};

// `device`: cpu or cuda.
RankMemory plan_rank_memory(const TrainConfiguration& configuration, const NetSpec& network,
                            const DataSizes& data, DeviceKind device, const RunSchedule& schedule);

// The arena of a training program on a GPU, without the workspace that cuDNN and cuBLASLt ask for, which
// depends on the algorithms, and without the scratch of the bias sums' and pools' kernels (below 1 %).
ProgramMemory plan_gpu_program(const NetSpec& network, const InputSpec& input, const ProgramOptions& options);

}  // namespace convoy
