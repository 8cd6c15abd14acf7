// The watchdog's knowledge of each rank, and its message when the group is stuck; independent of MPI and
// threads. For comm/'s own files and its tests.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace convoy {

// Sent by each rank's watchdog to rank 0, as bytes (all ranks run the same program).
struct RankReport {
  double age = 0;                  // seconds since its last heartbeat
  std::int64_t step = 0;           // of that heartbeat
  std::int64_t beats_of_step = 0;  // heartbeats within that step: the rank's progress in it
  std::int32_t leaving = 0;        // not 0: its watchdog ends normally
  char phase[36] = "start";
};

// A report and its age.
struct RankView {
  std::string host;
  RankReport report;
  double silent = 0;  // seconds since the last report
  // Since the rank's last heartbeat.
  double idle() const { return report.age + silent; }
};

// The reason to end the group, with the ranks that are behind; empty if there is none. A rank that has not
// reported for `limit` seconds is gone; if no rank had a heartbeat for `limit` seconds, the group is stuck.
std::string judge(std::span<const RankView> ranks, double limit);

}  // namespace convoy
