#include "data/worker_count.hpp"

#include <sched.h>

#include <algorithm>
#include <string>

#include "device/cpu/cpu_facts.hpp"

namespace convoy {

int worker_count(int requested, Communicator& communicator) {
  if (requested > 0) return requested;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  // Fails on machines with more cores than a cpu_set_t can represent; this rank then counts as having one.
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) CPU_ZERO(&allowed);
  std::string mine = std::to_string(communicator.node()) + ":";
  for (int core = 0; core < CPU_SETSIZE; ++core) mine += CPU_ISSET(core, &allowed) ? '1' : '0';
  const auto everyone = communicator.gather_texts(mine);
  const auto sharing = std::ranges::count(everyone, mine);
  const std::string node = mine.substr(0, mine.find(':') + 1);
  const auto on_node =
      std::ranges::count_if(everyone, [&](const auto& text) { return text.starts_with(node); });
  const int cores = CPU_COUNT(&allowed) / static_cast<int>(std::max<std::ptrdiff_t>(1, sharing));
  const double quota = cpu_quota().value_or(CPU_SETSIZE) / static_cast<double>(on_node);
  return std::max(1, std::min(cores, static_cast<int>(quota)));
}

}  // namespace convoy
