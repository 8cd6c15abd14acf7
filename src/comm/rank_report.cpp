#include "comm/rank_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace convoy {

namespace {

std::pair<std::int64_t, std::int64_t> progress_of(const RankView& view) {
  return {view.report.step, view.report.beats_of_step};
}

std::string describe(std::span<const RankView> ranks, std::size_t rank, double limit) {
  const RankView& view = ranks[rank];
  const std::string who = fmt::format("rank {} on {}", rank, view.host);
  const std::string where = fmt::format("phase {} of step {}", view.report.phase, view.report.step);
  if (view.silent >= limit)
    return fmt::format("{} (last heard of {:.0f} s ago in {})", who, view.silent, where);
  return fmt::format("{} ({} for {:.0f} s)", who, where, view.idle());
}

std::string describe(std::span<const RankView> ranks, const std::vector<std::size_t>& which, double limit) {
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(most, which.size()); ++i) {
    text += (i > 0 ? ", " : "") + describe(ranks, which[i], limit);
  }
  if (which.size() > most) text += fmt::format(" and {} more", which.size() - most);
  return text;
}

std::string sentence(std::span<const RankView> ranks, const std::string& what, double limit,
                     const std::vector<std::size_t>& behind, const std::vector<std::size_t>& others) {
  std::string text = fmt::format("{}: {}", what, describe(ranks, behind, limit));
  if (!others.empty()) text += "; the others: " + describe(ranks, others, limit);
  return text;
}

}  // namespace

std::string judge(std::span<const RankView> ranks, double limit) {
  std::vector<std::size_t> present, silent, heard;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (ranks[i].report.leaving != 0) continue;
    present.push_back(i);
    (ranks[i].silent >= limit ? silent : heard).push_back(i);
  }
  if (present.empty()) return {};
  if (!silent.empty())
    return sentence(ranks, fmt::format("no sign of life for {:.0f} s", limit), limit, silent, heard);

  const auto idle = [&](std::size_t i) { return ranks[i].idle(); };
  if (!std::all_of(present.begin(), present.end(), [&](std::size_t i) { return idle(i) >= limit; }))
    return {};
  // All ranks do the same things in the same order: the others wait for the rank with the least progress.
  auto least = progress_of(ranks[present.front()]);
  for (const std::size_t i : present) least = std::min(least, progress_of(ranks[i]));
  std::vector<std::size_t> behind, others;
  for (const std::size_t i : present) (progress_of(ranks[i]) == least ? behind : others).push_back(i);
  const bool all = others.empty() && behind.size() > 1;
  return sentence(
      ranks, fmt::format("no progress for {:.0f} s, {}", limit, all ? "all ranks are stuck" : "waiting for"),
      limit, behind, others);
}

}  // namespace convoy
