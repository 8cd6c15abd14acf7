// How many threads each rank computes with, and whether a core is left over for communication. Used at the
// start of training and evaluation.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace convoy {

struct ThreadPlan {
  int threads = 1;          // of this rank
  bool spare_core = false;  // every node has more cores than its ranks have threads
};

// `asked` threads, or for 0 this rank's share of the cores it may run on; collective.
ThreadPlan plan_threads(int asked, Communicator& communicator);

// The resources that a rank may use: its node, the numbers of the cores in its affinity mask, and the quota
// of CPU time in cores (see cpu_quota), which the ranks of a node share; 0: no quota.
struct RankCores {
  int node = 0;
  std::vector<int> cores;
  double quota = 0;
};

// The pure part: a core that several ranks of a node may run on counts for each by its share, so ranks bound
// to cores of their own and ranks that float over the whole node both come out right. At least one thread.
std::vector<int> share_cores(std::span<const RankCores> ranks);

// Whether each node has more cores (of all its ranks' masks, and of its quota) than its ranks have threads.
bool has_spare_cores(std::span<const RankCores> ranks, std::span<const int> threads);

}  // namespace convoy
