// Starts programs and looks at their exit codes and output: for tests of the command line and of whole runs.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/temporary_folder.hpp"

namespace convoy::test {

struct Outcome {
  int code = -1;  // exit code; 128 + n when signal n ended it
  std::string out, err;
};

class Process {
 public:
  // Starts arguments[0] (found on PATH) with standard input closed, in a process group of its own.
  // `environment`: "NAME=value" beside what this process has.
  explicit Process(const std::vector<std::string>& arguments,
                   const std::vector<std::string>& environment = {});
  ~Process();  // kills the whole group when it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t id() const { return process_; }
  void signal(int number) const;
  bool running();

  // Waits until it ends; after `seconds` kills it, and the code is 137.
  Outcome wait(double seconds = 120);

  // Waits until its standard output or error holds `text`; false when it ends or `seconds` pass before.
  bool wait_for_output(const std::string& text, double seconds = 60);
  std::string out() const;
  std::string err() const;

 private:
  TemporaryFolder folder_;
  pid_t process_ = -1;
  int code_ = -1;
  bool ended_ = false;
};

// The variable that loads a library before a program, and before what is loaded into this process so.
std::string preloading(const std::string& library);

// Starts and waits.
Outcome run(const std::vector<std::string>& arguments, double seconds = 120);

// mpirun as tests use it, followed by `command`.
std::vector<std::string> on_ranks(int ranks, const std::vector<std::string>& command);

// Children of a process that run a program of this file name (ranks of an mpirun).
std::vector<pid_t> descendants_named(pid_t ancestor, const std::string& name);

// The rank of this number among the convoy processes that an mpirun has started. Throws if there is none: a
// signal to process -1 would go to every process of the machine.
pid_t process_of_rank(pid_t launcher, int rank);

std::string read_file(const std::filesystem::path& path);

}  // namespace convoy::test
