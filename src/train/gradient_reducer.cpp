#include "train/gradient_reducer.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/partition.hpp"
#include "model/parameter_table.hpp"

namespace convoy {

std::vector<Bucket> plan_buckets(std::size_t elements, std::size_t bytes) {
  constexpr std::size_t unit = parameter_alignment;
  const std::size_t units = (elements + unit - 1) / unit;
  const std::size_t units_of_bucket = std::max<std::size_t>(1, bytes / (unit * sizeof(float)));
  const std::size_t count = (units + units_of_bucket - 1) / units_of_bucket;
  std::vector<Bucket> buckets(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Range range =
        part_of(static_cast<std::int64_t>(units), static_cast<int>(count), static_cast<int>(i));
    buckets[i].begin = static_cast<std::size_t>(range.begin) * unit;
    buckets[i].end = std::min(static_cast<std::size_t>(range.end) * unit, elements);
  }
  return buckets;
}

GradientReducer::GradientReducer(Collective& collective, TrainingReplica& replica,
                                 std::vector<Bucket> buckets)
    : collective_(collective), replica_(replica), buckets_(std::move(buckets)) {
  std::size_t end = 0;
  for (const Bucket& bucket : buckets_) {
    ensure(bucket.begin == end && bucket.end > bucket.begin, "buckets are consecutive");
    end = bucket.end;
  }
  ensure(end == replica_.gradient_memory().size(), "buckets cover the gradient");
}

void GradientReducer::begin() {
  started_ = reported_ = 0;
  collective_.begin();
}

void GradientReducer::ready(std::size_t end) {
  // Where the device waits for a sum by itself, it can be told of the bucket now.
  const bool early = collective_.capturable() && replica_.updates_early();
  const std::span<float> gradient = replica_.gradient_memory();
  for (; started_ < buckets_.size() && buckets_[started_].end <= end; ++started_) {
    const Bucket& bucket = buckets_[started_];
    collective_.start(gradient.subspan(bucket.begin, bucket.end - bucket.begin));
    if (!early) continue;
    replica_.gradients_summed(bucket.begin, bucket.end, collective_.last_sum());
    ++reported_;
  }
  collective_.progress();
}

void GradientReducer::finish() {
  ensure(started_ == buckets_.size(), "backward has reported the whole gradient as final");
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    collective_.finish_next();
    if (i >= reported_) replica_.gradients_summed(buckets_[i].begin, buckets_[i].end);
  }
  started_ = reported_ = 0;
}

}  // namespace convoy
