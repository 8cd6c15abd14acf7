// What the watchdog knows of each rank, and the sentence it says when the group is stuck; free of MPI and of
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
  std::int64_t beats_of_step = 0;  // heartbeats within that step: how far the rank has come in it
  std::int32_t leaving = 0;        // not 0: its watchdog ends, all is well
  char phase[36] = "start";
};

// The report and when it came.
struct RankView {
  std::string host;
  RankReport report;
  double silent = 0;  // seconds since the last report came
  // Since the rank's last heartbeat.
  double idle() const { return report.age + silent; }
};

// Why the group must be ended, naming the ranks that are behind; empty while all is well. A rank that has not
// reported for `limit` seconds is gone; when no rank had a heartbeat for `limit` seconds the group is stuck.
std::string judge(std::span<const RankView> ranks, double limit);

}  // namespace convoy
