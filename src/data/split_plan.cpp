#include "data/split_plan.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string_view>

#include "base/error.hpp"

namespace convoy {

int SplitPlan::shards() const {
  const std::uint64_t pixels = static_cast<std::uint64_t>(images()) * image_bytes();
  const std::uint64_t wanted = (pixels + shard_bytes - 1) / shard_bytes;
  return static_cast<int>(
      std::clamp<std::uint64_t>(wanted, 1, std::min<std::uint64_t>(99'999, names.size())));
}

Range SplitPlan::shard(int index) const {
  return part_of(images(), shards(), index);
}

std::string SplitPlan::shard_file(int index) const {
  return fmt::format("{}-{:05}-of-{:05}.h5", split, index, shards());
}

std::vector<std::uint32_t> stored_order(std::span<const std::string> names) {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(names.size());
  for (const std::string& name : names) hashes.push_back(XXH3_64bits(name.data(), name.size()));
  std::vector<std::uint32_t> order(names.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
    return hashes[a] != hashes[b] ? hashes[a] < hashes[b] : names[a] < names[b];
  });
  return order;
}

void bind_plan(SplitPlan& plan, const std::string& details) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                              XXH3_freeState);
  ensure(state != nullptr && XXH3_128bits_reset(state.get()) == XXH_OK, "XXH3 starts");
  const auto add = [&](std::string_view text) { XXH3_128bits_update(state.get(), text.data(), text.size()); };
  add(fmt::format("{} {} {} {}\n", plan.split, plan.image_size, plan.shards(), plan.images()));
  // Not for `cut`, so that stores from before there was a choice are recognised.
  if (plan.fit != Fit::cut) add(fmt::format("{}\n", word_of(fit_words(), plan.fit)));
  add(details);
  for (std::size_t i = 0; i < plan.names.size(); ++i)
    add(fmt::format("{}\t{}\n", plan.names[i], plan.labels[i]));
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  plan.binding = fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace convoy
