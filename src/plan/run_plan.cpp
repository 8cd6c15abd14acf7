#include "plan/run_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/counted.hpp"
#include "base/error.hpp"
#include "device/cuda_devices.hpp"
#include "model/networks.hpp"
#include "plan/job_plan.hpp"
#include "plan/quantities.hpp"

namespace convoy {
namespace {

// What NCCL's own estimates assume for large messages over NVLink and a network, and what shared memory and
// Ethernet take; between two limits that matter only for many ranks.
constexpr Link usual_gpu_latencies[] = {{.latency = 3.4e-6}, {.latency = 14e-6}};
constexpr Link usual_cpu_latencies[] = {{.latency = 2e-6}, {.latency = 50e-6}};

// Sums that are smaller than any bucket say nothing about buckets.
constexpr double least_bytes_of_fit = 1 << 18;

class Planner {
 public:
  explicit Planner(const PlanRequest& request) : request_(request), c_(request.configuration) {}

  RunPlan make() {
    plan_.network = make_network(c_.model, {.classes = request_.data.classes, .dropout = c_.dropout});
    const ParameterTable table(plan_.network);
    plan_.parameters = table.count();
    plan_.device = request_.device;
    plan_.beside = request_.beside.value_or(on_gpu());
    plan_.algorithm = by_nccl() || request_.algorithm != SumAlgorithm::automatic ? request_.algorithm
                                                                                 : SumAlgorithm::direct;
    plan_buckets_of(table);
    choose_links();
    fit_rates(table);
    for (const int ranks : request_.ranks) plan_.ranks.push_back(on_ranks(ranks));
    plan_.disk = plan_disk(c_, plan_.ranks.front().schedule, request_.data, plan_.network);
    return std::move(plan_);
  }

 private:
  bool on_gpu() const { return request_.device == DeviceKind::cuda; }
  bool by_nccl() const { return on_gpu() && c_.collective != CollectiveKind::mpi; }
  double bytes_per_element() const { return c_.wire == WirePrecision::fp32 ? 4 : 2; }

  void plan_buckets_of(const ParameterTable& table) {
    for (const Bucket& bucket : plan_buckets(table.size(), bucket_bytes)) {
      PlannedBucket planned{.bucket = bucket,
                            .bytes = static_cast<double>(bucket.end - bucket.begin) * bytes_per_element()};
      for (const Parameter& parameter : table.parameters())
        if (parameter.offset < bucket.end) planned.layer = parameter.layer;
      plan_.buckets.push_back(std::move(planned));
    }
  }

  // Of one place: what was given, else what was measured, else a usual latency; none without a bandwidth.
  std::optional<Link> link(const std::optional<double>& latency, const std::optional<double>& bandwidth,
                           bool several_hosts) {
    const Link usual = (on_gpu() ? usual_gpu_latencies : usual_cpu_latencies)[several_hosts ? 1 : 0];
    LinkFit fit;
    if (!bandwidth || !latency) fit = fitted(several_hosts);
    Link result;
    if (!bandwidth && fit.points == 0) return std::nullopt;
    result.bandwidth = bandwidth ? *bandwidth : fit.link.bandwidth;
    result.latency = latency ? *latency : fit.points > 0 && !bandwidth ? fit.link.latency : usual.latency;
    if (fit.points > 0 && !bandwidth)
      plan_.remarks.push_back(fmt::format(
          "link {}: {} and {}, fitted to {} of benchmark_allreduce; error {:.0f} % (median), {:.0f} % "
          "(largest)",
          several_hosts ? "between nodes" : "in a node", latency_text(result.latency),
          bandwidth_text(result.bandwidth), counted(fit.points, "row"), fit.median_error * 100,
          fit.worst_error * 100));
    return result;
  }

  LinkFit fitted(bool several_hosts) const {
    std::vector<MeasuredSums> sums = request_.calibration.sums;
    // Seconds of ranks with a core each, so that they serve any number of ranks.
    for (MeasuredSums& measured : sums)
      for (MeasuredSum& row : measured.rows) row.seconds /= sum_share(measured.ranks, measured.hosts);
    const SumAlgorithm algorithm =
        plan_.algorithm == SumAlgorithm::automatic ? SumAlgorithm::ring : plan_.algorithm;
    if (by_nccl()) return fit_link(sums, algorithm, "nccl", several_hosts, least_bytes_of_fit);
    const LinkFit fit = fit_link(sums, algorithm, plan_.beside ? "convoy-thread" : "convoy", several_hosts,
                                 least_bytes_of_fit);
    if (fit.points > 0) return fit;
    return fit_link(sums, algorithm, "convoy", several_hosts, least_bytes_of_fit);
  }

  int cores() const {
    if (request_.cores > 0) return request_.cores;
    for (const MeasuredStep& step : request_.calibration.steps)
      if (step.cores > 0) return step.cores;
    return 0;
  }

  // On CPUs ranks that have not a core each share them, also while they move and add gradients.
  double sum_share(int ranks, int hosts) const {
    if (by_nccl() || cores() == 0) return 1;
    return core_share((ranks + hosts - 1) / hosts, 1, cores());
  }

  void choose_links() {
    const GivenLinks& given = request_.links;
    plan_.node = link(given.node_latency, given.node_bandwidth, false);
    plan_.network_link = link(given.latency, given.bandwidth, true);
  }

  void fit_rates(const ParameterTable& table) {
    std::vector<MeasuredStep> steps = request_.calibration.steps;
    const int rows = static_cast<int>(std::max<std::int64_t>(1, c_.global_batch / request_.ranks.front()));
    if (request_.images_per_second > 0) steps = {step_of_speed(request_.images_per_second, rows)};
    if (steps.empty()) {
      plan_.remarks.emplace_back(
          "speed: not known; pass --calibrate with a run of one rank or the JSON of benchmark_step, or "
          "--images-per-second");
      return;
    }
    rates_ = fit_device_rates(steps);
    for (const MeasuredStep& step : steps) check_step(step);
    plan_.remarks.push_back(fmt::format(
        "steps: fitted to {}, largest error {:.1f} %{}", counted(steps.size(), "measured step"),
        rates_->worst_error * 100,
        steps.size() == 1 ? "; other batches are taken to be proportional: measure a small one too" : ""));
    if (rates_->ready.empty()) {
      rates_->ready = ready_by_arithmetic(plan_.network, table);
      plan_.remarks.emplace_back(
          "gradients become ready as the layers' multiplications say; benchmark_step --json measures it");
    } else if (rates_->ready.back().end != table.size()) {
      fail(ExitCode::usage,
           "--calibrate: the measured step has a gradient of {} numbers, but this network has {}: measure {} "
           "with {} classes",
           rates_->ready.back().end, table.size(), c_.model, class_count(plan_.network));
    }
  }

  void check_step(const MeasuredStep& step) const {
    if (!step.model.empty() && step.model != c_.model)
      fail(ExitCode::usage, "--calibrate {}: measured {}, but the plan is for {}", step.source, step.model,
           c_.model);
    const std::string_view wanted = word_of(precision_words(), c_.precision);
    if (!step.precision.empty() && step.precision != wanted)
      fail(ExitCode::usage, "--calibrate {}: measured in {}, but the plan is for {}", step.source,
           step.precision, wanted);
  }

  RankNetwork network_of(const RanksPlan& on) const {
    RankNetwork network{.ranks = on.ranks, .ranks_per_node = on.ranks_per_node};
    // With one rank on each node only the cores' work in Convoy's own sums depends on it (knows_links).
    network.node = plan_.node.value_or(Link{.bandwidth = std::numeric_limits<double>::infinity()});
    if (plan_.network_link) network.network = *plan_.network_link;
    network.node.bandwidth /= sum_share(on.ranks_per_node, 1);
    return network;
  }

  RanksPlan on_ranks(int ranks) {
    RanksPlan on{.ranks = ranks};
    const int most_per_node = request_.ranks_per_node > 0 ? request_.ranks_per_node : on_gpu() ? 8 : ranks;
    on.ranks_per_node = std::min(most_per_node, ranks);
    if (ranks % on.ranks_per_node != 0)
      fail(ExitCode::usage,
           "--ranks {} is no multiple of --ranks-per-node {}: every node has the same number", ranks,
           on.ranks_per_node);
    on.nodes = ranks / on.ranks_per_node;
    on.schedule = plan_schedule(c_, request_.data, ranks);
    on.rows = on.schedule.batches.rows_at_most();
    on.memory = plan_rank_memory(c_, plan_.network, request_.data, request_.device, on.schedule);
    for (const PlannedBucket& bucket : plan_.buckets) {
      const SumTraffic traffic = sum_traffic(plan_.algorithm, network_of(on), bucket.bytes);
      on.traffic.rank += traffic.rank;
      on.traffic.node += traffic.node;
    }
    predict(on);
    on.submit = submit_line(request_, on);
    return on;
  }

  // On CPUs a thread that sums needs a core beside those that compute.
  SumProgress progress_of(const RanksPlan& on) const {
    if (!plan_.beside) return SumProgress::polled;
    if (by_nccl() || cores() == 0) return SumProgress::beside;
    const int threads = c_.threads > 0 ? c_.threads : std::max(1, cores() / on.ranks_per_node);
    return on.ranks_per_node * threads < cores() ? SumProgress::beside : SumProgress::sharing;
  }

  bool knows_links(const RanksPlan& on) {
    const bool node = on.ranks_per_node == 1 || plan_.node;
    const bool network = on.nodes == 1 || plan_.network_link;
    const auto missing = [&](const char* option, const char* where) {
      const std::string text = fmt::format(
          "{}: the speed of the links {} is not known: pass {} or --calibrate with the JSON of "
          "benchmark_allreduce",
          counted(on.ranks, "rank"), where, option);
      plan_.remarks.push_back(text);
    };
    if (!node) missing("--node-bandwidth", "in a node");
    if (!network) missing("--bandwidth", "between nodes");
    if (on.ranks > 1 && network && on.ranks_per_node == 1 && !plan_.node &&
        plan_.algorithm == SumAlgorithm::direct)
      plan_.remarks.push_back(
          fmt::format("{}: without the cores' work in sums, which --node-bandwidth or a benchmark_allreduce "
                      "on one node tells",
                      counted(on.ranks, "rank")));
    return node && network;
  }

  void predict(RanksPlan& on) {
    if (!rates_ || !knows_links(on)) return;
    const int passes = c_.accumulate;
    const double share = on_gpu() ? 1 : core_share(on.ranks_per_node, rates_->threads, cores());
    const DeviceStep pass = device_step(*rates_, on.rows, share);
    StepInput input{.device = pass,
                    .network = network_of(on),
                    .algorithm = plan_.algorithm,
                    .progress = progress_of(on),
                    .bytes_per_element = bytes_per_element(),
                    .updates_early = on_gpu() && c_.precision != Precision::fp16};
    for (const PlannedBucket& bucket : plan_.buckets) input.buckets.push_back(bucket.bucket);
    StepPrediction step = predict_step(input);
    // Sums begin with the last pass.
    step.input *= passes;
    step.forward *= passes;
    step.backward *= passes;
    on.images_per_second = static_cast<double>(c_.global_batch) / step.seconds();
    const DeviceStep alone = device_step(*rates_, on.rows, 1);
    const double unhindered = passes * (alone.input + alone.forward + alone.backward) + alone.update;
    on.efficiency = unhindered / step.seconds();
    on.job = plan_job(request_, on.schedule, step, pass.forward);
    on.step = std::move(step);
  }

  const PlanRequest& request_;
  const TrainConfiguration& c_;
  RunPlan plan_;
  std::optional<DeviceRates> rates_;
};

}  // namespace

DeviceKind planned_device(const TrainConfiguration& configuration, const Calibration& calibration) {
  if (configuration.device != DeviceKind::automatic) return configuration.device;
  for (const MeasuredStep& step : calibration.steps)
    if (!step.device.empty()) return step.threads > 0 ? DeviceKind::cpu : DeviceKind::cuda;
  const bool of_gpus =
      configuration.precision == Precision::tf32 || configuration.precision == Precision::fp16 ||
      configuration.collective == CollectiveKind::nccl || configuration.wire != WirePrecision::fp32;
  if (of_gpus) return DeviceKind::cuda;
  return resolve_device(DeviceKind::automatic);
}

RunPlan make_plan(const PlanRequest& request) {
  return Planner(request).make();
}

}  // namespace convoy
