// A clock that somebody sets: loaded before the program (LD_PRELOAD), it shifts the time of day by the
// seconds in the file SHIFTED_CLOCK_FILE, which may change meanwhile. Like the system's, it leaves steady
// clocks alone.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

namespace {

time_t shift() {
  static const char* const path = std::getenv("SHIFTED_CLOCK_FILE");
  if (path == nullptr) return 0;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  char text[32] = {};
  if (file < 0) return 0;
  const ssize_t bytes = ::read(file, text, sizeof text - 1);
  ::close(file);
  return bytes > 0 ? std::atol(text) : 0;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) {
  static const auto original =
      reinterpret_cast<decltype(&clock_gettime)>(::dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = original(clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += shift();
  return result;
}

int gettimeofday(timeval* now, void* zone) {
  static const auto original = reinterpret_cast<int (*)(timeval*, void*)>(::dlsym(RTLD_NEXT, "gettimeofday"));
  const int result = original(now, zone);
  now->tv_sec += shift();
  return result;
}

time_t time(time_t* result) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != nullptr) *result = now.tv_sec;
  return now.tv_sec;
}
}
