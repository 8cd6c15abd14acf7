// --stage in a run on several ranks: which ranks share a node's copies and what they copy, errors that all
// ranks report as one, and the figures of all nodes. Used by run_training and its loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "comm/communicator.hpp"
#include "data/stage/stage.hpp"
#include "train/resolved_run.hpp"
#include "train/run_report.hpp"

namespace convoy {

class RunStage {
 public:
  // Prepares the folder on every node; collective. `run`, `communicator` and `log` must outlive it. What is
  // wrong on one node (a missing folder, a full disk) is thrown on every rank, with the host's name.
  RunStage(const ResolvedRun& run, Communicator& communicator, const Log& log);

  // Starts copying.
  void start();

  ShardCopies* copies(std::string_view split) { return stage_->copies(split); }

  // Tells the observers and the user how far staging has come, if that has changed; collective. `ends`: the
  // run ends here, and staging with it.
  void report(std::int64_t step, bool ends, RunReport& report);

 private:
  void prepare();
  StageRecord gather_figures();
  void announce(const StageRecord& record, bool last, std::int64_t step, RunReport& report);

  const ResolvedRun& run_;
  Communicator& communicator_;
  const Log& log_;
  std::optional<Stage> stage_;
  int folders_ = 1;  // over all nodes
  bool announced_ = false;
  std::int64_t announced_rejections_ = 0;
};

// "staged 252 shards (252.0 GB) in 84.1 s: 240.0 GB copied (2.85 GB/s), 12.0 GB there already"
std::string stage_text(const StageRecord& record);

}  // namespace convoy
