#include "comm/slurm_job.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace convoy {
namespace {

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view first_line(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  const std::string_view line = text.substr(first, text.find('\n', first) - first);
  return line.substr(0, line.find_last_not_of(" \t\r") + 1);
}

// This process's environment, and the form of time in which squeue is to answer.
std::vector<char*> question_environment(std::string& form) {
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!std::string_view(*variable).starts_with("SLURM_TIME_FORMAT=")) environment.push_back(*variable);
  environment.push_back(form.data());
  environment.push_back(nullptr);
  return environment;
}

// The attributes and redirections of a program that is started: no signal is blocked in it, and what it
// prints goes to `output`.
class Launch {
 public:
  explicit Launch(int output) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  ~Launch() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  // 0 or the number of an error.
  int start(pid_t& process, char* const* arguments, char* const* environment) const {
    return ::posix_spawnp(&process, arguments[0], &actions_, &attributes_, arguments, environment);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

std::optional<SlurmJob> find_slurm_job(const Environment& environment) {
  const char* const id = environment("SLURM_JOB_ID");
  if (id == nullptr || *id == '\0') return std::nullopt;
  SlurmJob job{.id = id, .end = {}};
  // One task of an array has the number of the whole array as its own.
  const char* const array = environment("SLURM_ARRAY_JOB_ID");
  const char* const task = environment("SLURM_ARRAY_TASK_ID");
  if (array != nullptr && task != nullptr) job.id = fmt::format("{}_{}", array, task);
  if (const char* const end = environment("SLURM_JOB_END_TIME")) job.end = whole_number(end);
  return job;
}

std::optional<SlurmJob> find_slurm_job() {
  return find_slurm_job([](const char* name) { return std::getenv(name); });
}

SlurmAnswer read_squeue(std::string_view output, int exit_code) {
  const std::string_view line = first_line(output);
  if (exit_code != 0)
    return {.end = {},
            .problem = fmt::format("squeue failed with exit code {}{}{}", exit_code, line.empty() ? "" : ": ",
                                   line)};
  if (const auto end = whole_number(line)) return {.end = end, .problem = {}};
  if (line == "NONE" || line == "N/A") return {};
  return {.end = {}, .problem = fmt::format("squeue answered '{}' instead of a time", line)};
}

SlurmQuestion::SlurmQuestion(const std::string& job) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    problem_ = "no pipe for squeue: " + system_error_text(errno);
    return;
  }
  output_ = FileDescriptor(ends[0], "the output of squeue");
  const FileDescriptor write_end(ends[1], "the output of squeue");
  std::string words[] = {"squeue", "-h", "-j", job, "-o", "%e"};
  std::string form = "SLURM_TIME_FORMAT=%s";
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const int error =
      Launch(write_end.number()).start(process_, arguments.data(), question_environment(form).data());
  if (error != 0) {
    process_ = -1;
    problem_ = "squeue could not be started: " + system_error_text(error);
  }
}

SlurmQuestion::~SlurmQuestion() {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

std::optional<SlurmAnswer> SlurmQuestion::answer() {
  if (!problem_.empty()) return SlurmAnswer{.end = {}, .problem = problem_};
  int status = 0;
  const pid_t ended = ::waitpid(process_, &status, WNOHANG);
  if (ended == 0) {
    if (since_start_.seconds() < patience) return std::nullopt;
    return SlurmAnswer{.end = {}, .problem = fmt::format("squeue did not answer within {} s", patience)};
  }
  process_ = -1;
  if (ended < 0) return SlurmAnswer{.end = {}, .problem = "squeue was lost: " + system_error_text(errno)};
  try {
    return read_squeue(output_.read_to_end(),
                       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  } catch (const Error& error) {
    return SlurmAnswer{.end = {}, .problem = error.what()};
  }
}

}  // namespace convoy
