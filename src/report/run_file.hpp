// run.json in a run's folder: configuration, versions and hardware of the run, and what each attempt was
// started with; written at each start of the run, when algorithms have been chosen, after the first step
// and when staging is done, complete or not at all (README, "Reading the output").
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "train/observer.hpp"

namespace convoy {

class RunFile : public Observer {
 public:
  RunFile(const std::filesystem::path& folder, const Log& log);
  void on_start(const RunRecord& record) override;
  void on_tuning(const RunRecord& record) override;
  void on_startup(const RunRecord& record) override;
  void on_stage(const RunRecord& record) override;

 private:
  void write_again(const RunRecord& record);
  // The file's text so far; empty, with a warning, if it cannot be read or understood.
  std::string read_before() const;

  std::filesystem::path path_;
  std::string before_;  // the file's text before this attempt
  const Log& log_;
};

// The reasons in an earlier run.json (its text) why a resumed run is not bitwise identical: ranks, threads,
// device, libraries; one "key: old → new" each.
std::vector<std::string> run_differences(const std::string& before, const RunRecord& record);

// The text of run.json. `before`: the file's text so far, whose attempts are kept; may be empty.
std::string run_to_json(const RunRecord& record, const std::string& before = {});

}  // namespace convoy
