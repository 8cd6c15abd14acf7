#include "plan/plan_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/counted.hpp"
#include "base/duration_text.hpp"
#include "plan/quantities.hpp"
#include "plan/text_table.hpp"

namespace convoy {
namespace {

std::string milliseconds(double seconds) {
  return fmt::format("{:.{}f}", seconds * 1e3, seconds >= 1 ? 0 : seconds >= 0.1 ? 1 : 2);
}

std::string megabytes(double bytes) {
  return fmt::format("{:.1f}", bytes / 1e6);
}

std::string epochs_text(const RateStretch& stretch) {
  if (stretch.epochs == 1) return fmt::format("{}", stretch.first_epoch);
  return fmt::format("{}–{}", stretch.first_epoch, stretch.first_epoch + stretch.epochs - 1);
}

std::string rate_text(const RateStretch& stretch) {
  if (stretch.first_rate == stretch.last_rate) return fmt::format("{:.6g}", stretch.first_rate);
  return fmt::format("{:.4g} → {:.4g}", stretch.first_rate, stretch.last_rate);
}

// A smooth schedule has a stretch for each epoch: a few of them show its course.
std::vector<RateStretch> shown(const std::vector<RateStretch>& stretches) {
  constexpr std::size_t most = 16;
  if (stretches.size() <= most) return stretches;
  std::vector<RateStretch> few;
  for (std::size_t i = 0; i + 1 < most; ++i) few.push_back(stretches[i * stretches.size() / (most - 1)]);
  few.push_back(stretches.back());
  return few;
}

std::string schedule_text(const PlanRequest& request, const RunPlan& plan) {
  const RunSchedule& schedule = plan.ranks.front().schedule;
  std::string text = fmt::format("## Schedule\n\n{} in {} of {} on {} ({} classes); {} an epoch\n\n",
                                 counted(schedule.length.last_step, "update"),
                                 counted(schedule.length.total_epochs(), "epoch"),
                                 request.configuration.global_batch, counted(request.data.images, "image"),
                                 class_count(plan.network), counted(schedule.length.steps_per_epoch, "step"));
  TextTable table({"epochs", "from step", "learning rate"});
  const std::vector<RateStretch> stretches = shown(schedule.stretches);
  for (const RateStretch& stretch : stretches)
    table.add({epochs_text(stretch),
               fmt::format("{}", stretch.first_epoch * schedule.length.steps_per_epoch + 1),
               rate_text(stretch)});
  text += table.text();
  if (stretches.size() < schedule.stretches.size())
    text += fmt::format("\n{} of {} epochs with a rate of their own; --json has all.\n", stretches.size(),
                        schedule.stretches.size());
  if (schedule.follows_validation)
    text += fmt::format("\nThe rate falls when the validation error stops falling, to {:.4g} at the least.\n",
                        schedule.lowest_plateau_rate);
  text += fmt::format("\n{}; ", counted(schedule.evaluations, "evaluation"));
  if (schedule.checkpoints == 0) return text + "no checkpoint unless the run is stopped\n";
  text += fmt::format("{} of {}, of which {} stay ({}; while one is written {})\n",
                      counted(schedule.checkpoints, "checkpoint"), bytes_text(plan.disk.checkpoint),
                      plan.disk.kept, bytes_text(plan.disk.checkpoint * static_cast<double>(plan.disk.kept)),
                      bytes_text(plan.disk.most));
  return text;
}

std::string ranks_head(const RanksPlan& on) {
  return on.ranks == 1 ? "1 rank" : fmt::format("{} ranks", on.ranks);
}

using Lines = std::vector<MemoryLine> RankMemory::*;

// Rows are the purposes that any number of ranks has.
void add_memory(const RunPlan& plan, Lines lines, TextTable& table, std::string total) {
  std::vector<std::string> purposes;
  for (const RanksPlan& on : plan.ranks)
    for (const MemoryLine& line : on.memory.*lines)
      if (std::ranges::find(purposes, line.what) == purposes.end()) purposes.push_back(line.what);
  std::vector<std::string> totals = {std::move(total)};
  for (const RanksPlan& on : plan.ranks) {
    double sum = 0;
    for (const MemoryLine& line : on.memory.*lines) sum += line.bytes;
    totals.push_back(megabytes(sum));
  }
  for (const std::string& purpose : purposes) {
    std::vector<std::string> cells = {purpose};
    for (const RanksPlan& on : plan.ranks) {
      const auto& all = on.memory.*lines;
      const auto found =
          std::ranges::find_if(all, [&](const MemoryLine& line) { return line.what == purpose; });
      cells.push_back(found == all.end() ? "" : megabytes(found->bytes));
    }
    table.add(std::move(cells));
  }
  table.add(std::move(totals));
}

std::string memory_text(const RunPlan& plan) {
  const bool on_gpu = plan.device == DeviceKind::cuda;
  std::vector<std::string> head = {"MB for each rank"};
  std::vector<std::string> rows = {"images in a batch"};
  for (const RanksPlan& on : plan.ranks) {
    head.push_back(ranks_head(on));
    rows.push_back(fmt::format("{}", on.rows));
  }
  TextTable table(std::move(head));
  table.add(std::move(rows));
  add_memory(plan, &RankMemory::device, table, on_gpu ? "on the GPU" : "of the engine");
  add_memory(plan, &RankMemory::host, table, on_gpu ? "on the host" : "beside the engine");
  std::string text = fmt::format("\n## Memory\n\n{}", table.text());
  for (const std::string& remark : plan.ranks.back().memory.remarks) text += "\n" + remark + "\n";
  return text;
}

// Consecutive buckets that the same layer completes.
std::string buckets_text(const RunPlan& plan) {
  const auto with_times = std::ranges::find_if(
      plan.ranks, [](const RanksPlan& on) { return on.step && !on.step->buckets.empty(); });
  const bool timed = with_times != plan.ranks.end();
  std::vector<std::string> head = {"completed by", "buckets", "MB in all"};
  if (timed) head.insert(head.end(), {"ready ms", "sum begins ms", "all summed ms"});
  TextTable table(std::move(head));
  double bytes = 0;
  for (std::size_t first = 0; first < plan.buckets.size();) {
    std::size_t end = first;
    double here = 0;
    for (; end < plan.buckets.size() && plan.buckets[end].layer == plan.buckets[first].layer; ++end)
      here += plan.buckets[end].bytes;
    std::vector<std::string> cells = {plan.buckets[first].layer, fmt::format("{}", end - first),
                                      megabytes(here)};
    if (timed) {
      const std::vector<BucketTimes>& times = with_times->step->buckets;
      cells.insert(cells.end(), {milliseconds(times[first].ready), milliseconds(times[first].begin),
                                 milliseconds(times[end - 1].end)});
    }
    table.add(std::move(cells));
    bytes += here;
    first = end;
  }
  std::string text = fmt::format("\n## Buckets\n\n{:.1f} MB of gradients in {}", bytes / 1e6,
                                 counted(plan.buckets.size(), "bucket"));
  if (timed)
    text += fmt::format("; times on {}, since backward began, which takes {} ms", ranks_head(*with_times),
                        milliseconds(with_times->step->backward));
  return text + "\n\n" + table.text();
}

std::string traffic_text(const RunPlan& plan) {
  TextTable table({"ranks", "nodes × ranks", "MB sent by a rank", "MB sent by a node"});
  for (const RanksPlan& on : plan.ranks)
    table.add({fmt::format("{}", on.ranks), fmt::format("{} × {}", on.nodes, on.ranks_per_node),
               megabytes(on.traffic.rank), megabytes(on.traffic.node)});
  return fmt::format("\n## Bytes of a step\n\n{}", table.text());
}

std::string percent(double part, double whole) {
  return fmt::format("{:.0f} %", whole > 0 ? 100 * part / whole : 0);
}

std::string prediction_text(const RunPlan& plan) {
  TextTable table({"ranks", "nodes", "images each", "step ms", "input", "forward", "backward", "exposed",
                   "update", "sums ms", "hidden", "images/s", "efficiency"});
  for (const RanksPlan& on : plan.ranks) {
    if (!on.step) continue;
    const StepPrediction& step = *on.step;
    table.add({fmt::format("{}", on.ranks), fmt::format("{}", on.nodes), fmt::format("{}", on.rows),
               milliseconds(step.seconds()), milliseconds(step.input), milliseconds(step.forward),
               milliseconds(step.backward), milliseconds(step.exposed), milliseconds(step.update),
               milliseconds(step.sums), percent(step.hidden, step.sums),
               fmt::format("{:.0f}", on.images_per_second), percent(on.efficiency, 1)});
  }
  std::string text = "\n## Prediction\n\n";
  if (!table.empty()) text += table.text() + "\n";
  for (const std::string& remark : plan.remarks) text += "* " + remark + "\n";
  return text;
}

std::string jobs_text(const PlanRequest& request, const RunPlan& plan) {
  std::string text = "\n## Jobs\n\n";
  TextTable table({"ranks", "whole run", "jobs", "requeues"});
  for (const RanksPlan& on : plan.ranks)
    if (on.job)
      table.add({fmt::format("{}", on.ranks), duration_text(on.job->run_seconds),
                 fmt::format("{}", on.job->jobs), fmt::format("{}", on.job->jobs - 1)});
  if (!table.empty()) text += table.text() + "\n";
  if (!table.empty() && request.time_limit > 0)
    text += fmt::format(
        "Of {} a job trains for {}: Slurm's warning comes 5 minutes before the limit, and a start "
        "takes about a minute.\n\n",
        time_limit_text(request.time_limit),
        duration_text(plan.ranks.front().job ? plan.ranks.front().job->usable_seconds
                                             : plan.ranks.back().job->usable_seconds));
  text += "```bash\n";
  for (const RanksPlan& on : plan.ranks) text += on.submit + "\n";
  return text + "```\n";
}

}  // namespace

std::string plan_to_text(const PlanRequest& request, const RunPlan& plan) {
  std::string text = fmt::format("# {}, {} parameters, {}, {}\n\n", request.configuration.model,
                                 plan.parameters, word_of(precision_words(), request.configuration.precision),
                                 plan.device == DeviceKind::cuda ? "GPUs" : "CPUs");
  text += schedule_text(request, plan) + memory_text(plan) + buckets_text(plan);
  if (plan.ranks.back().ranks > 1) text += traffic_text(plan);
  return text + prediction_text(plan) + jobs_text(request, plan);
}

}  // namespace convoy
