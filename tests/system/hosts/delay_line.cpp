// A cable that takes time, for simulated hosts on a kernel without netem: what one network interface sends
// arrives at the other after a delay; the other way it arrives at once. hosts.bash starts one for each host.
//
//   delay_line NAMESPACE INTERFACE NAMESPACE INTERFACE MICROSECONDS
//
// Makes both interfaces (TAP devices, which are down), prints "ready" and runs until it is killed; the
// interfaces then vanish. Packets are as long as TCP makes them (64 KB), as between virtual machines of one
// computer.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <system_error>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// A TAP device of this name in that network namespace. This process moves there: each call may name another.
int open_interface(const std::string& name_space, const std::string& name) {
  const int place = ::open(("/run/netns/" + name_space).c_str(), O_RDONLY | O_CLOEXEC);
  if (place < 0 || ::setns(place, CLONE_NEWNET) != 0) give_up("network namespace " + name_space);
  ::close(place);
  const int file = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) give_up("/dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  request.ifr_name[name.copy(request.ifr_name, IFNAMSIZ - 1)] = '\0';
  if (::ioctl(file, TUNSETIFF, &request) != 0) give_up("interface " + name);
  // Both ends are this machine's: checksums and the division of long packets are left out.
  if (::ioctl(file, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0) give_up("offloads of " + name);
  return file;
}

struct Packet {
  Clock::time_point due;
  std::vector<char> bytes;
};

class DelayLine {
 public:
  DelayLine(int from, int to, std::chrono::microseconds delay) : from_(from), to_(to), delay_(delay) {}

  [[noreturn]] void run() {
    for (;;) {
      std::array<pollfd, 2> files = {pollfd{from_, POLLIN, 0}, pollfd{to_, POLLIN, 0}};
      timespec pause{};
      if (!waiting_.empty()) {
        const auto rest = std::max(waiting_.front().due - Clock::now(), Clock::duration::zero());
        pause.tv_nsec = std::chrono::nanoseconds(rest).count() % 1'000'000'000;
        pause.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(rest).count();
      }
      if (::ppoll(files.data(), files.size(), waiting_.empty() ? nullptr : &pause, nullptr) < 0 &&
          errno != EINTR)
        give_up("ppoll");
      send_what_is_due();
      while (receive(from_))
        waiting_.push_back({Clock::now() + delay_, {buffer_.begin(), buffer_.begin() + length_}});
      while (receive(to_)) send(from_, buffer_.data(), static_cast<std::size_t>(length_));
    }
  }

 private:
  bool receive(int file) {
    length_ = ::read(file, buffer_.data(), buffer_.size());
    return length_ > 0;
  }

  // A packet that an interface does not take (it is down) is lost, as on a cable.
  static void send(int file, const char* bytes, std::size_t length) {
    if (::write(file, bytes, length) < 0 && errno == EBADF) give_up("write");
  }

  void send_what_is_due() {
    while (!waiting_.empty() && waiting_.front().due <= Clock::now()) {
      send(to_, waiting_.front().bytes.data(), waiting_.front().bytes.size());
      waiting_.pop_front();
    }
  }

  int from_, to_;
  std::chrono::microseconds delay_;
  std::deque<Packet> waiting_;
  std::array<char, 70'000> buffer_{};
  ssize_t length_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 6)
      throw std::runtime_error("delay_line NAMESPACE INTERFACE NAMESPACE INTERFACE MICROSECONDS");
    const int from = open_interface(argv[1], argv[2]);
    const int to = open_interface(argv[3], argv[4]);
    ::prctl(PR_SET_TIMERSLACK, 1UL);  // nanoseconds: wakes up when it asks to
    std::puts("ready");
    std::fflush(stdout);
    DelayLine(from, to, std::chrono::microseconds(std::strtol(argv[5], nullptr, 10))).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "delay_line: %s\n", error.what());
    return 1;
  }
}
