// One shard of a store: written beside its final name and published whole, or checked to be whole already.
// The store writer's tool; no MPI in here.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/split_plan.hpp"
#include "data/statistics.hpp"

namespace convoy {

// Fills the image at `position` of the split (side × side × 3). Throws ExitCode::bad_data with the reason
// alone for an image that cannot be used; any other Error ends the whole work. Called from many threads.
using ImageProducer = std::function<void(std::int64_t position, std::span<std::uint8_t> square)>;

struct BadImage {
  std::string name, reason;
};

struct ShardResult {
  bool published = false;
  std::vector<BadImage> bad;  // skipped ones when published; else why it was not (plan.skip_bad is off)
};

// Makes shard `index`. Its images are added to `sums`. A shard from which bad images are left out is decoded
// twice, for its size must be known before it is written. `progress` is told how many images were done since
// it was last called. Throws ExitCode::io, and what `produce` throws.
ShardResult write_shard(const SplitPlan& plan, int index, const ImageProducer& produce, PixelSums& sums,
                        const std::function<void(std::int64_t)>& progress);

// Whether shard `index` is there, whole and the plan's own, checked down to every image's checksum. If so its
// images are added to `sums`; if not, `reason` says why ("" when there is simply no file).
bool keep_shard(const SplitPlan& plan, int index, PixelSums& sums, std::string& reason);

// The bad images that the shard at `path` left out. Throws ExitCode::bad_data or io.
std::vector<BadImage> skipped_in_shard(const std::filesystem::path& path);

// The binding kept in the shard at `path`; "" when it cannot be read.
std::string shard_binding(const std::filesystem::path& path);

}  // namespace convoy
