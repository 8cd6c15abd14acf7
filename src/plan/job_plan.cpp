#include "plan/job_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "plan/quantities.hpp"

namespace convoy {
namespace {

// As a shell needs it.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_-./,:=+@%") == std::string::npos;
  if (plain) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

// Threads that compute on a CPU and threads that read images; a GPU's rank needs one to drive it.
int cores_per_task(const PlanRequest& request, const RanksPlan& on) {
  const TrainConfiguration& c = request.configuration;
  if (request.device == DeviceKind::cuda) return c.workers + 1;
  if (c.threads > 0) return c.threads;
  return request.cores > 0 ? std::max(1, request.cores / on.ranks_per_node) : 8;
}

}  // namespace

JobPlan plan_job(const PlanRequest& request, const RunSchedule& schedule, const StepPrediction& step,
                 double forward) {
  JobPlan job;
  const double batches = std::ceil(static_cast<double>(request.data.validation_images) /
                                   static_cast<double>(request.configuration.global_batch));
  job.run_seconds = static_cast<double>(schedule.length.last_step) * step.seconds() +
                    static_cast<double>(schedule.evaluations) * batches * forward;
  job.jobs = 1;
  if (request.time_limit <= 0) return job;
  job.usable_seconds = request.time_limit - warning_seconds - start_seconds;
  if (job.usable_seconds <= step.seconds())
    fail(ExitCode::usage,
         "--time-limit {} leaves no time to train: a job starts for about {:.0f} s and is warned {:.0f} s "
         "before its limit",
         time_limit_text(request.time_limit), start_seconds, warning_seconds);
  job.jobs = std::max<std::int64_t>(1, std::llround(std::ceil(job.run_seconds / job.usable_seconds)));
  return job;
}

std::string submit_line(const PlanRequest& request, const RanksPlan& on) {
  std::string line = fmt::format("sbatch --nodes={} --ntasks-per-node={} --cpus-per-task={}", on.nodes,
                                 on.ranks_per_node, cores_per_task(request, on));
  if (request.device == DeviceKind::cuda) line += " --gpus-per-task=1";
  if (request.time_limit > 0) line += fmt::format(" --time={}", time_limit_text(request.time_limit));
  line += " cluster/train.sbatch";
  bool data = false, output = false;
  for (const auto& [name, value] : request.train_options) {
    data = data || name == "data";
    output = output || name == "output";
    line += fmt::format(" --{} {}", name, quoted(value));
  }
  if (!data) line += " --data STORE";
  if (!output) line += " --output FOLDER";
  return line;
}

}  // namespace convoy
