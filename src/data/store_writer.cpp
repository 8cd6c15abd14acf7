#include "data/store_writer.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/progress_meter.hpp"
#include "comm/gather.hpp"
#include "data/store_catalogue.hpp"
#include "data/store_folder.hpp"

namespace convoy {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BadImage, name, reason)

namespace {

// The progress of the whole work as known to rank 0: the images of all ranks up to the last exchange, and its
// own since then.
class Progress {
 public:
  Progress(const Log& log, const std::string& split, std::int64_t total, int ranks)
      : meter_(log, split, total), total_(total), ranks_(ranks) {}

  void add_own(std::int64_t images) {
    own_ += images;
    meter_.show(std::min(total_, agreed_ + own_ * ranks_), ranks_ > 1);
  }
  void agree(std::int64_t images) {
    agreed_ += images;
    own_ = 0;
  }

 private:
  ProgressMeter meter_;
  std::int64_t total_, agreed_ = 0, own_ = 0;
  int ranks_;
};

// A rank's report to the others after a shard.
struct Outcome {
  bool failed = false;
  ExitCode category = ExitCode::done;
  std::string message;
  std::vector<BadImage> bad;
  std::int64_t skipped = 0;
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Outcome, failed, category, message, bad, skipped)

// Throws the error of any rank, with the same text everywhere. Returns the number of skipped images.
std::int64_t agree(const Outcome& mine, Communicator& communicator) {
  std::vector<BadImage> bad;
  std::int64_t skipped = 0;
  for (const Outcome& outcome : gather(communicator, mine)) {
    if (outcome.failed) throw Error(outcome.category, outcome.message);
    bad.insert(bad.end(), outcome.bad.begin(), outcome.bad.end());
    skipped += outcome.skipped;
  }
  if (bad.empty()) return skipped;
  const bool more = bad.size() >= most_listed;
  bad.resize(std::min(bad.size(), most_listed));
  std::string list;
  for (const BadImage& image : bad) list += fmt::format("\n  {}: {}", image.name, image.reason);
  fail(ExitCode::bad_data,
       "{}{} images cannot be used:{}\nRepair or remove them, or leave them out with --skip-bad; "
       "shards that are already packed are kept.",
       more ? "at least " : "", bad.size(), list);
}

// Runs `work` and converts its exceptions to an outcome that can be shared.
template <typename Work>
Outcome guarded(Work&& work) {
  Outcome outcome;
  try {
    work(outcome);
  } catch (...) {
    const Error error = as_error(std::current_exception(), "use fewer --workers or a smaller --image-size");
    outcome.failed = true, outcome.category = error.category(), outcome.message = error.what();
  }
  return outcome;
}

// The shards to create, the same list on every rank; the sums of the others are in `sums`. Collective.
std::vector<int> missing_shards(const SplitPlan& plan, PixelSums& sums, Communicator& communicator,
                                const Log& log) {
  std::vector<std::int64_t> missing(static_cast<std::size_t>(plan.shards()));
  const Outcome outcome = guarded([&](Outcome&) {
    for (int index = communicator.rank(); index < plan.shards(); index += communicator.size()) {
      std::string reason;
      if (keep_shard(plan, index, sums, reason)) continue;
      missing[static_cast<std::size_t>(index)] = 1;
      if (!reason.empty()) log.warn("{} is written again: {}", plan.shard_file(index), reason);
    }
  });
  agree(outcome, communicator);
  communicator.sum(std::span<std::int64_t>(missing));
  std::vector<int> list;
  for (int index = 0; index < plan.shards(); ++index)
    if (missing[static_cast<std::size_t>(index)] != 0) list.push_back(index);
  return list;
}

// Assigns the shards in `list` to the ranks in turn; after each round all ranks know whether one failed.
// Collective.
void make_shards(const SplitPlan& plan, const std::vector<int>& list, const ImageProducer& produce,
                 PixelSums& sums, Communicator& communicator, const Log& log) {
  std::int64_t total = 0;
  for (const int index : list) total += plan.shard(index).size();
  const auto ranks = static_cast<std::size_t>(communicator.size());
  Progress progress(log, plan.split, total, static_cast<int>(std::min(ranks, list.size())));
  for (std::size_t round = 0; round < list.size(); round += ranks) {
    const std::size_t mine = round + static_cast<std::size_t>(communicator.rank());
    const Outcome outcome = guarded([&](Outcome& result) {
      if (mine >= list.size()) return;
      ShardResult shard =
          write_shard(plan, list[mine], produce, sums, [&](std::int64_t n) { progress.add_own(n); });
      if (shard.published)
        result.skipped = static_cast<std::int64_t>(shard.bad.size());
      else
        result.bad = std::move(shard.bad);
    });
    agree(outcome, communicator);
    std::int64_t done = 0;
    for (std::size_t i = round; i < std::min(round + ranks, list.size()); ++i)
      done += plan.shard(list[i]).size();
    progress.agree(done);
  }
}

}  // namespace

SplitReport write_split(const SplitPlan& plan, const ImageProducer& produce, Communicator& communicator,
                        const Log& log) {
  const Stopwatch clock;
  FolderLock lock;  // on rank 0
  communicator.on_rank_zero([&] {
    lock = lock_split(plan.folder, plan.split);
    claim_split(plan, log);
    return std::string();
  });
  PixelSums sums(plan.image_size);
  const std::vector<int> missing = missing_shards(plan, sums, communicator, log);
  const int kept = plan.shards() - static_cast<int>(missing.size());
  if (kept > 0)
    log.info("{}: {} of {} shards already exist and are complete", plan.split, kept, plan.shards());
  make_shards(plan, missing, produce, sums, communicator, log);
  sums.sum_over_ranks(communicator);
  SplitReport report;
  report.fingerprint = communicator.on_rank_zero([&] {
    // Another pack may have added the other split meanwhile.
    const FolderLock catalogue = lock_store(plan.folder, log);
    const std::optional<Store> now = existing_store(plan.folder);
    check_fits(plan, now);
    return write_catalogue(plan, now, sums).fingerprint;
  });
  report.images = sums.images;
  report.skipped = plan.images() - sums.images;
  report.shards = plan.shards();
  report.kept_shards = kept;
  report.seconds = clock.seconds();
  return report;
}

}  // namespace convoy
