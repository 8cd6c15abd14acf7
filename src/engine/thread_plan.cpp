#include "engine/thread_plan.hpp"

#include <sched.h>

#include <algorithm>
#include <map>
#include <set>

#include "comm/gather.hpp"
#include "device/cpu/cpu_facts.hpp"

namespace convoy {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankCores, node, cores, quota)

namespace {

// Core numbers of this process's affinity mask; 0, 1, … where the system does not report them.
std::vector<int> own_cores() {
  std::vector<int> cores;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (::sched_getaffinity(0, sizeof mask, &mask) == 0)
    for (int core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &mask)) cores.push_back(core);
  if (cores.empty())
    for (int core = 0; core < usable_cores(); ++core) cores.push_back(core);
  return cores;
}

}  // namespace

std::vector<int> share_cores(std::span<const RankCores> ranks) {
  std::map<std::pair<int, int>, int> users;  // of (node, core)
  std::map<int, int> ranks_of;               // node
  for (const RankCores& rank : ranks) {
    ++ranks_of[rank.node];
    for (const int core : rank.cores) ++users[{rank.node, core}];
  }
  std::vector<int> threads;
  for (const RankCores& rank : ranks) {
    double share = 0;
    for (const int core : rank.cores) share += 1.0 / users[{rank.node, core}];
    if (rank.quota > 0) share = std::min(share, rank.quota / ranks_of[rank.node]);
    threads.push_back(std::max(1, static_cast<int>(share + 1e-6)));
  }
  return threads;
}

bool has_spare_cores(std::span<const RankCores> ranks, std::span<const int> threads) {
  std::map<int, std::set<int>> cores;  // of each node
  std::map<int, std::size_t> needed;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    cores[ranks[rank].node].insert(ranks[rank].cores.begin(), ranks[rank].cores.end());
    needed[ranks[rank].node] += static_cast<std::size_t>(threads[rank]);
  }
  const bool in_quota = std::all_of(ranks.begin(), ranks.end(), [&](const RankCores& rank) {
    return rank.quota <= 0 || rank.quota >= static_cast<double>(needed[rank.node] + 1);
  });
  return in_quota && std::all_of(cores.begin(), cores.end(),
                                 [&](const auto& node) { return node.second.size() > needed[node.first]; });
}

ThreadPlan plan_threads(int asked, Communicator& communicator) {
  const auto ranks =
      gather(communicator, RankCores{communicator.node(), own_cores(), cpu_quota().value_or(0)});
  std::vector<int> threads = share_cores(ranks);
  if (asked > 0) std::fill(threads.begin(), threads.end(), asked);
  return {threads[static_cast<std::size_t>(communicator.rank())], has_spare_cores(ranks, threads)};
}

}  // namespace convoy
