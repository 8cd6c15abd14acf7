// One shard of a store: written under a temporary name and published when complete, or checked to be complete
// already. The store writer's tool; does not use MPI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/split_plan.hpp"
#include "data/statistics.hpp"

namespace convoy {

// Fills the image at `position` of the split (side × side × 3). Throws ExitCode::bad_data with only the
// reason for an image that cannot be used; any other Error ends the whole work. Called from many threads.
using ImageProducer = std::function<void(std::int64_t position, std::span<std::uint8_t> square)>;

// Bad images that are named before the work is abandoned.
inline constexpr std::size_t most_listed = 10;

struct BadImage {
  std::string name, reason;
};

struct ShardResult {
  bool published = false;
  std::vector<BadImage>
      bad;  // skipped ones if published; otherwise the reason why not (plan.skip_bad is off)
};

// Creates shard `index`. Its images are added to `sums`. A shard with skipped bad images is decoded twice,
// since its size must be known before it is written. `progress` receives the number of images since its last
// call. Throws ExitCode::io, and the exceptions of `produce`.
ShardResult write_shard(const SplitPlan& plan, int index, const ImageProducer& produce, PixelSums& sums,
                        const std::function<void(std::int64_t)>& progress);

// Whether shard `index` exists, is complete and matches the plan, including every image's checksum. If so,
// its images are added to `sums`; if not, `reason` is the reason ("" if the file does not exist).
bool keep_shard(const SplitPlan& plan, int index, PixelSums& sums, std::string& reason);

// The bad images that the shard at `path` skipped. Throws ExitCode::bad_data or io.
std::vector<BadImage> skipped_in_shard(const std::filesystem::path& path);

// The binding stored in the shard at `path`; "" if it cannot be read.
std::string shard_binding(const std::filesystem::path& path);

}  // namespace convoy
