// The Slurm job that this process belongs to, and when Slurm will end it: the time limit may be changed while
// the job runs, and a preemption shortens it. Used by the deadline of a training run.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/file_descriptor.hpp"
#include "comm/launcher.hpp"

namespace convoy {

struct SlurmJob {
  std::string id;  // as Slurm's commands take it: "12", or "12_3" for a task of an array
  std::optional<std::int64_t>
      end;  // seconds after 1970; only newer versions of Slurm put it into the environment
};

// None outside a job.
std::optional<SlurmJob> find_slurm_job(const Environment& environment);
std::optional<SlurmJob> find_slurm_job();

struct SlurmAnswer {
  std::optional<std::int64_t> end;  // seconds after 1970
  std::string problem;              // why there is no end; empty also if the job has no limit
};

// What `squeue` printed for the end of a job in seconds after 1970, and its exit code.
SlurmAnswer read_squeue(std::string_view output, int exit_code);

// Runs `squeue` without waiting for it. Its destructor ends a program that still runs.
class SlurmQuestion {
 public:
  explicit SlurmQuestion(const std::string& job);
  ~SlurmQuestion();
  SlurmQuestion(const SlurmQuestion&) = delete;
  SlurmQuestion& operator=(const SlurmQuestion&) = delete;

  // None until squeue has ended; an answer with a problem if that takes longer than `patience` seconds.
  std::optional<SlurmAnswer> answer();

  static constexpr double patience = 60;  // squeue itself waits this long for a controller that is restarted

 private:
  pid_t process_ = -1;
  FileDescriptor output_;
  std::string problem_;  // why squeue could not be started
  Stopwatch since_start_;
};

}  // namespace convoy
