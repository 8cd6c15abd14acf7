#include "train/start_messages.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/counted.hpp"
#include "base/text_list.hpp"
#include "train/gradient_reducer.hpp"

namespace convoy {

std::string ready_text(const StartupClock& startup) {
  constexpr double noticeable = 0.05;
  double total = 0;
  std::vector<std::string> parts;
  for (const auto& [name, seconds] : startup.phases()) {
    total += seconds;
    if (seconds >= noticeable) parts.push_back(fmt::format("{} {:.1f}", name, seconds));
  }
  return fmt::format("ready after {:.1f} s{}{}", total, parts.empty() ? "" : ": ", text_list(parts));
}

std::string memory_text(const ReplicaMemory& replica, const ProgramMemory& program) {
  std::vector<std::string> parts;
  const auto add = [&](const char* what, std::size_t bytes) {
    if (bytes > 0) parts.push_back(fmt::format("{} {:.1f} MB", what, static_cast<double>(bytes) / 1e6));
  };
  add("parameters", replica.parameters);
  add("gradients", replica.gradients);
  add("optimiser's state", replica.slots);
  add("parameters in another format", replica.copies);
  add("gradients of a micro-batch", replica.accumulation);
  add("sums", replica.small);
  add("activations, their gradients, scratch", program.activations);
  add("workspace", program.workspace);
  add("input staging", program.staging);
  return fmt::format("memory: {}", text_list(parts));
}

void log_step_plan(const Log& log, const ResolvedRun& run, std::size_t elements,
                   const LoaderOptions& loader) {
  const std::size_t buckets = plan_buckets(elements, bucket_bytes).size();
  const double megabytes = static_cast<double>(elements * sizeof(float)) / 1e6;
  log.debug("gradient: {:.1f} MB, summed in {} of {:.1f} MB", megabytes, counted(buckets, "bucket"),
            megabytes / static_cast<double>(buckets));
  log.debug("input: {} of each rank, {} in {}; {} batches of {} in memory", counted(loader.workers, "worker"),
            counted(run.plan.images, "image"), counted(run.store.train->shards.size(), "shard"),
            loader.buffers + loader.held, run.plan.rows_at_most());
}

}  // namespace convoy
