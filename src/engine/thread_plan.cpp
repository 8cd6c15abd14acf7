#include "engine/thread_plan.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "device/cpu/cpu_facts.hpp"

namespace convoy {
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

RankCores parse(const std::string& text) {
  std::istringstream words(text);
  RankCores rank;
  words >> rank.node;
  for (int core = 0; words >> core;) rank.cores.push_back(core);
  return rank;
}

}  // namespace

std::vector<int> share_cores(std::span<const RankCores> ranks) {
  std::map<std::pair<int, int>, int> users;  // of (node, core)
  for (const RankCores& rank : ranks)
    for (const int core : rank.cores) ++users[{rank.node, core}];
  std::vector<int> threads;
  for (const RankCores& rank : ranks) {
    double share = 0;
    for (const int core : rank.cores) share += 1.0 / users[{rank.node, core}];
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
  return std::all_of(cores.begin(), cores.end(),
                     [&](const auto& node) { return node.second.size() > needed[node.first]; });
}

ThreadPlan plan_threads(int asked, Communicator& communicator) {
  std::string mine = std::to_string(communicator.node());
  for (const int core : own_cores()) mine += fmt::format(" {}", core);
  std::vector<RankCores> ranks;
  for (const std::string& text : communicator.gather_texts(mine)) ranks.push_back(parse(text));
  std::vector<int> threads = share_cores(ranks);
  if (asked > 0) std::fill(threads.begin(), threads.end(), asked);
  return {threads[static_cast<std::size_t>(communicator.rank())], has_spare_cores(ranks, threads)};
}

}  // namespace convoy
