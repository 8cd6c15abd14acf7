// The observers that write records for other programs, as far as a configuration asks for them. Used by
// `convoy train`.
#pragma once

#include <memory>
#include <vector>

#include "base/log.hpp"
#include "settings/train_configuration.hpp"
#include "train/observer.hpp"

namespace convoy {

// TensorBoard's files, MLPerf's log, the trace. `log` must outlive them.
std::vector<std::unique_ptr<Observer>> requested_records(const TrainConfiguration& configuration,
                                                         const Log& log);

}  // namespace convoy
