#include "peer.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "base/clock.hpp"
#include "base/error.hpp"

extern char** environ;

namespace convoy::gpu_benchmark {

Peer::Peer(const std::string& command) {
  // A socket, not two pipes: writing to a child that ended is then an error and no signal.
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    fail(ExitCode::io, "cannot make a socket for the peer: {}", system_error_text(errno));
  socket_ = FileDescriptor(ends[0], "the peer's socket");
  const FileDescriptor childs(ends[1], "the peer's socket");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, childs.number(), 0);
  posix_spawn_file_actions_adddup2(&actions, childs.number(), 1);
  std::string shell = "/bin/sh", option = "-c", text = "exec " + command;
  const std::array<char*, 4> arguments{shell.data(), option.data(), text.data(), nullptr};
  const int failed = ::posix_spawn(&child_, shell.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) fail(ExitCode::io, "cannot start {}: {}", command, system_error_text(failed));
}

Peer::~Peer() {
  // It holds nothing that it would have to put in order.
  ::kill(child_, SIGKILL);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool Peer::wait_ready(double seconds) {
  if (!read_object(seconds, greeting_)) return false;
  if (greeting_.value("ready", false)) return true;
  why_ = greeting_.value("error", std::string("it gave no reason"));
  return false;
}

std::map<std::string, double> Peer::measure(double seconds) {
  Json answer;
  constexpr std::string_view turn = "turn\n";
  if (::send(socket_.number(), turn.data(), turn.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(turn.size())) {
    why_ = "it ended early";
    return {};
  }
  if (!read_object(seconds, answer)) return {};
  if (!answer.contains("seconds")) {
    why_ = answer.value("error", std::string("its answer has no times"));
    return {};
  }
  return answer["seconds"].get<std::map<std::string, double>>();
}

// Lines that are no JSON object are what a library has to say: skipped.
bool Peer::read_object(double seconds, Json& object) {
  const Stopwatch watch;
  while (true) {
    for (std::size_t end = 0; (end = unread_.find('\n')) != std::string::npos;) {
      const std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      object = Json::parse(line, nullptr, false);
      if (object.is_object()) return true;
    }
    const double left = seconds - watch.seconds();
    pollfd wanted{.fd = socket_.number(), .events = POLLIN, .revents = 0};
    const int ready = left <= 0 ? 0 : ::poll(&wanted, 1, static_cast<int>(std::min(left, 1e6) * 1e3) + 1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      why_ = fmt::format("it did not answer within {:.0f} s", seconds);
      return false;
    }
    std::array<char, 4096> text;
    const ssize_t count = ::recv(socket_.number(), text.data(), text.size(), 0);
    if (count <= 0) {
      why_ = "it ended early (its messages are above)";
      return false;
    }
    unread_.append(text.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace convoy::gpu_benchmark
