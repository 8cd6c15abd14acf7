// Measurements that a plan is calibrated with: what benchmark_step and benchmark_allreduce write with --json,
// and the records of a run. Used by plan.cpp.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "plan/device_rates.hpp"
#include "plan/sum_cost.hpp"

namespace convoy {

// Sums that benchmark_allreduce timed, on one set of ranks.
struct MeasuredSum {
  std::string how;  // convoy, convoy-thread, mpi_allreduce, nccl
  double bytes = 0, seconds = 0;
};
struct MeasuredSums {
  std::string source = {}, transport = {}, device = {};
  int ranks = 1, hosts = 1;
  std::vector<MeasuredSum> rows = {};
};

struct Calibration {
  std::vector<MeasuredStep> steps;
  std::vector<MeasuredSums> sums;
};

// Reads one file into `calibration`: JSON of benchmark_step or benchmark_allreduce, a run's metrics.jsonl, or
// the run's folder. Throws ExitCode::usage for a file of another kind, ExitCode::bad_data for one that is
// damaged or has no steps yet, ExitCode::io.
void read_calibration(const std::filesystem::path& path, Calibration& calibration);

// A link fitted to measured sums: least squares on relative errors of latencies · α + bytes / B.
struct LinkFit {
  Link link;
  std::size_t points = 0;
  double median_error = 0, worst_error = 0;  // |fitted ÷ measured − 1|
};

// Of sums over several hosts the network's link is fitted, otherwise the node's. `how`: the rows that count.
// Sums below `least_bytes` do not: buckets are larger. No points: nothing of this kind was measured.
LinkFit fit_link(std::span<const MeasuredSums> sums, SumAlgorithm algorithm, const std::string& how,
                 bool several_hosts, double least_bytes);

}  // namespace convoy
