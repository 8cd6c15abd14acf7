#include "report/records.hpp"

#include "report/mlperf_log.hpp"
#include "report/tensorboard_file.hpp"
#include "report/trace_file.hpp"

namespace convoy {

std::vector<std::unique_ptr<Observer>> requested_records(const TrainConfiguration& configuration,
                                                         const Log& log) {
  std::vector<std::unique_ptr<Observer>> records;
  if (configuration.tensorboard)
    records.push_back(std::make_unique<TensorboardFile>(configuration.output, log));
  if (configuration.mlperf_log) records.push_back(std::make_unique<MlperfLog>(configuration, log));
  if (!configuration.trace.empty()) records.push_back(std::make_unique<TraceFile>(configuration.trace, log));
  return records;
}

}  // namespace convoy
