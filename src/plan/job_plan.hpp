// Jobs of a batch system: how often a run is requeued at its time limit, and the line that submits it. Used
// by run_plan.cpp.
#pragma once

#include <optional>
#include <string>

#include "plan/run_plan.hpp"

namespace convoy {

// Seconds of a job in which it does not train: what cluster/train.sbatch asks Slurm to leave between its
// warning and the limit, and the time until the first step (on GPUs algorithms are measured, once).
inline constexpr double warning_seconds = 300, start_seconds = 60;

// `forward`: seconds of a rank for a batch of rows, which evaluations take too. Without a limit: one job.
JobPlan plan_job(const PlanRequest& request, const RunSchedule& schedule, const StepPrediction& step,
                 double forward);

// "sbatch --nodes=2 --ntasks-per-node=8 … cluster/train.sbatch --config owt --data STORE …".
std::string submit_line(const PlanRequest& request, const RanksPlan& on);

}  // namespace convoy
