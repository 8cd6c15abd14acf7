// The plan of a run: what it does, what it takes, and how fast it will be on each of several numbers of
// ranks. Computed without data, ranks or a GPU. Used by `convoy plan`; plan_text.hpp and plan_json.hpp write
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/net_spec.hpp"
#include "plan/calibration.hpp"
#include "plan/rank_memory.hpp"
#include "plan/run_schedule.hpp"
#include "plan/step_prediction.hpp"
#include "settings/train_configuration.hpp"

namespace convoy {

// What is given about the links; what is not is measured (calibration) or, of latencies, a usual value.
struct GivenLinks {
  std::optional<double> latency = {}, bandwidth = {};            // between nodes
  std::optional<double> node_latency = {}, node_bandwidth = {};  // inside a node
};

struct PlanRequest {
  TrainConfiguration configuration = {};
  DataSizes data = {};
  DeviceKind device = DeviceKind::cpu;  // never automatic
  std::vector<int> ranks = {1};
  int ranks_per_node = 0;  // 0: eight on GPUs, all on CPUs
  int cores = 0;           // of a node, for CPUs; 0: of the machine that was measured
  Calibration calibration = {};
  double images_per_second = 0;  // of one rank; 0: measured or not known
  GivenLinks links = {};
  SumAlgorithm algorithm = SumAlgorithm::automatic;
  std::optional<bool> beside = {};  // whether sums run beside computing; none: on GPUs
  double time_limit = 0;            // seconds of a job; 0: none
  // Words of the command line for `convoy train`, name and value, for the line to submit.
  std::vector<std::pair<std::string, std::string>> train_options = {};
};

struct PlannedBucket {
  Bucket bucket;
  double bytes = 0;        // on the wire
  std::string layer = {};  // that completes it
};

// A job that is requeued at its limit until the run is done.
struct JobPlan {
  double run_seconds = 0;     // of computing, evaluations included
  double usable_seconds = 0;  // of each job: without start-up and the time of the warning
  std::int64_t jobs = 0;
};

struct RanksPlan {
  int ranks = 1, ranks_per_node = 1, nodes = 1, rows = 0;
  RunSchedule schedule = {};
  RankMemory memory = {};
  SumTraffic traffic = {};  // of a step
  std::optional<StepPrediction> step = {};
  double images_per_second = 0;
  double efficiency = 0;  // against as many ranks that compute the same rows alone and unhindered
  std::optional<JobPlan> job = {};
  std::string submit = {};  // the line for Slurm
};

struct RunPlan {
  NetSpec network;
  std::size_t parameters = 0;
  DeviceKind device = DeviceKind::cpu;
  std::vector<PlannedBucket> buckets;
  DiskPlan disk;
  std::vector<RanksPlan> ranks;
  bool beside = true;
  SumAlgorithm algorithm = SumAlgorithm::automatic;
  std::optional<Link> node, network_link;  // as used
  std::vector<std::string> remarks;        // where figures come from, and what is missing
};

RunPlan make_plan(const PlanRequest& request);

// `auto` resolved for a run elsewhere: by what was measured, then by precision (tf32 and fp16 are of GPUs),
// then by this machine.
DeviceKind planned_device(const TrainConfiguration& configuration, const Calibration& calibration);

}  // namespace convoy
