#include "support/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace convoy::test {
namespace {

// Between fork and exec: only calls that are safe there.
void redirect(const char* path, int descriptor, int flags) {
  const int file = ::open(path, flags, 0600);
  if (file < 0 || ::dup2(file, descriptor) < 0) ::_exit(126);
  ::close(file);
}

bool until(double seconds, const std::function<bool()>& true_now) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!true_now()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string out_path = folder_ / "out";
  const std::string err_path = folder_ / "err";
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error("cannot fork");
  if (process_ > 0) return;
  ::setpgid(0, 0);
  redirect("/dev/null", 0, O_RDONLY);
  redirect(out_path.c_str(), 1, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
  redirect(err_path.c_str(), 2, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
  for (const std::string& variable : environment) ::putenv(const_cast<char*>(variable.c_str()));
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

Process::~Process() {
  if (running()) {
    ::kill(-process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
}

void Process::signal(int number) const {
  if (!ended_) ::kill(process_, number);
}

bool Process::running() {
  if (ended_) return false;
  int status = 0;
  if (::waitpid(process_, &status, WNOHANG) != process_) return true;
  ended_ = true;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return false;
}

Outcome Process::wait(double seconds) {
  if (!until(seconds, [this] { return !running(); })) {
    ::kill(-process_, SIGKILL);
    until(10, [this] { return !running(); });
  }
  return {code_, out(), err()};
}

bool Process::wait_for_output(const std::string& text, double seconds) {
  const auto shown = [&] {
    return out().find(text) != std::string::npos || err().find(text) != std::string::npos;
  };
  until(seconds, [&] { return shown() || !running(); });
  return shown();
}

std::string Process::out() const {
  return read_file(folder_ / "out");
}
std::string Process::err() const {
  return read_file(folder_ / "err");
}

std::string preloading(const std::string& library) {
  const char* const others = std::getenv("LD_PRELOAD");
  return "LD_PRELOAD=" + library + (others == nullptr ? "" : std::string(":") + others);
}

Outcome run(const std::vector<std::string>& arguments, double seconds) {
  return Process(arguments).wait(seconds);
}

std::vector<std::string> on_ranks(int ranks, const std::vector<std::string>& command) {
  std::vector<std::string> all = {"mpirun",
                                  "--allow-run-as-root",
                                  "--oversubscribe",
                                  "--bind-to",
                                  "none",
                                  "--mca",
                                  "btl_vader_single_copy_mechanism",
                                  "none",
                                  "-x",
                                  "OMP_NUM_THREADS=1",
                                  "-n",
                                  std::to_string(ranks)};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

std::vector<pid_t> descendants_named(pid_t ancestor, const std::string& name) {
  std::map<pid_t, std::pair<pid_t, std::string>> processes;  // id → parent, name
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string text = read_file(entry.path() / "stat");
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue;
    std::istringstream rest(text.substr(close + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    processes[std::stoi(text)] = {parent, text.substr(open + 1, close - open - 1)};
  }
  std::vector<pid_t> found;
  for (const auto& [id, process] : processes) {
    if (process.second != name) continue;
    pid_t above = process.first;
    while (above > 1 && above != ancestor && processes.count(above) != 0) above = processes[above].first;
    if (above == ancestor) found.push_back(id);
  }
  return found;
}

pid_t process_of_rank(pid_t launcher, int rank) {
  for (const pid_t id : descendants_named(launcher, "convoy")) {
    const std::string environment = read_file("/proc/" + std::to_string(id) + "/environ");
    const std::string variable = "OMPI_COMM_WORLD_RANK=" + std::to_string(rank);
    if (environment.find(variable + std::string(1, '\0')) != std::string::npos) return id;
  }
  throw std::runtime_error("rank " + std::to_string(rank) + " does not run");
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace convoy::test
