#include "data/synthesize.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "data/shape_painter.hpp"
#include "data/worker_count.hpp"

namespace convoy {

namespace {

// Numbers of validation images start here, so they do not depend on the number of training images.
constexpr std::uint32_t first_validation_image = 1U << 31;

void check_options(const SynthesizeOptions& options) {
  constexpr std::int64_t most_images = 1LL << 31;
  if (options.images < 1 || options.images > most_images)
    fail(ExitCode::usage, "--images {}: must be from 1 to {}", options.images, most_images);
  if (options.val_images < 0 || options.val_images > most_images)
    fail(ExitCode::usage, "--val-images {}: must be from 0 to {}", options.val_images, most_images);
  if (options.classes < 2 || options.classes > most_synthetic_classes)
    fail(ExitCode::usage, "--classes {}: must be from 2 to {}", options.classes, most_synthetic_classes);
  if (options.image_size < 8 || options.image_size > 4096)
    fail(ExitCode::usage, "--image-size {}: must be from 8 to 4096", options.image_size);
  if (options.shard_bytes == 0) fail(ExitCode::usage, "--shard-bytes 0: a shard contains at least one image");
}

// The appearance of classes by label: labels refer to sorted ids, as in packed stores.
std::vector<std::pair<std::string, int>> sorted_classes(int classes) {
  std::vector<std::pair<std::string, int>> sorted;
  sorted.reserve(static_cast<std::size_t>(classes));
  for (int index = 0; index < classes; ++index)
    sorted.emplace_back(synthetic_class_id(index, classes), index);
  std::ranges::sort(sorted);
  return sorted;
}

struct SyntheticSplit {
  SplitPlan plan;
  std::vector<std::uint32_t> numbers;  // image numbers, in stored order
};

SyntheticSplit plan_split(const SynthesizeOptions& options, const std::string& split, std::int64_t images,
                          std::uint32_t first_number) {
  const auto classes = sorted_classes(options.classes);
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < images; ++i) {
    const auto& [id, index] = classes[static_cast<std::size_t>(i % options.classes)];
    names.push_back(fmt::format("{}/{}-{:08}", id, split, i));
  }
  SyntheticSplit result;
  SplitPlan& plan = result.plan;
  for (const std::uint32_t i : stored_order(names)) {
    plan.names.push_back(names[i]);
    plan.labels.push_back(static_cast<std::int32_t>(i % static_cast<std::uint32_t>(options.classes)));
    result.numbers.push_back(first_number + i);
  }
  plan.folder = options.store;
  plan.split = split;
  plan.image_size = options.image_size;
  plan.shard_bytes = options.shard_bytes;
  plan.replace = options.replace;
  for (const auto& [id, index] : classes) plan.classes.push_back({id, id});
  bind_plan(plan, fmt::format("synthesize 2, seed {}, {} classes\n", options.seed, options.classes));
  return result;
}

SplitReport make_split(const SynthesizeOptions& options, SyntheticSplit split, Communicator& communicator,
                       const Log& log) {
  split.plan.workers = worker_count(options.workers, communicator);
  const auto classes = sorted_classes(options.classes);
  const auto paint = [&](std::int64_t position, std::span<std::uint8_t> square) {
    const auto image = static_cast<std::size_t>(position);
    const int index = classes[static_cast<std::size_t>(split.plan.labels[image])].second;
    paint_synthetic_image(options.seed, index, options.classes, split.numbers[image], options.image_size,
                          square);
  };
  return write_split(split.plan, paint, communicator, log);
}

}  // namespace

SynthesizeReport synthesize(const SynthesizeOptions& options, Communicator& communicator, const Log& log) {
  check_options(options);
  SynthesizeReport report;
  report.train = make_split(options, plan_split(options, "train", options.images, 0), communicator, log);
  if (options.val_images > 0) {
    report.val = make_split(options, plan_split(options, "val", options.val_images, first_validation_image),
                            communicator, log);
  }
  return report;
}

}  // namespace convoy
