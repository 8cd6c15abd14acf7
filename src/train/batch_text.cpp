#include "train/batch_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/counted.hpp"
#include "base/error.hpp"

namespace convoy {

std::string batch_text(std::int64_t global_batch, int ranks, int accumulate) {
  const BatchPlan plan{
      .images = global_batch, .global_batch = global_batch, .ranks = ranks, .accumulate = accumulate};
  std::int64_t least = global_batch, most = 0;
  for (int rank = 0; rank < ranks; ++rank)
    for (int micro = 0; micro < accumulate; ++micro) {
      const std::int64_t rows = plan.rows(0, rank, micro).size();
      least = std::min(least, rows);
      most = std::max(most, rows);
    }
  const std::string rows = least == most ? fmt::format("{}", most) : fmt::format("{}–{}", least, most);
  const std::string micro = accumulate > 1 ? fmt::format(" × {} micro-batches", accumulate) : "";
  return fmt::format("{} = {}{} × {}", global_batch, counted(ranks, "rank"), micro, rows);
}

void check_batch(std::int64_t global_batch, int ranks, int accumulate) {
  const std::int64_t needed = std::int64_t{ranks} * accumulate;
  if (needed <= global_batch) return;
  if (accumulate == 1)
    fail(ExitCode::usage,
         "--global-batch {} cannot be shared by {} ranks: each needs a sample; start at most {} or set "
         "--global-batch to {} or more",
         global_batch, ranks, counted(global_batch, "rank"), ranks);
  fail(ExitCode::usage,
       "--global-batch {} cannot be shared by {} ranks × {} micro-batches (--accumulate): each needs a "
       "sample; set --global-batch to {} or more, or use fewer ranks or micro-batches",
       global_batch, ranks, accumulate, needed);
}

void check_rows(const BatchPlan& plan) {
  const std::int64_t largest = std::min(plan.images, plan.global_batch);
  if (largest >= plan.ranks) return;
  fail(ExitCode::usage,
       "the training split has {}, which cannot be shared by {} ranks: each needs one in a step; start at "
       "most {}",
       counted(plan.images, "image"), plan.ranks, counted(largest, "rank"));
}

std::string batch_warning(const BatchPlan& plan) {
  if (plan.global_batch <= plan.images) return {};
  return fmt::format(
      "--global-batch {} is larger than the training split of {}: each epoch is a single step of {}",
      plan.global_batch, counted(plan.images, "image"), counted(plan.images, "sample"));
}

}  // namespace convoy
