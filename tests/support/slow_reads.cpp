// A slow disk: loaded before the program (LD_PRELOAD), it delays every read at a place of a file, as the
// loader makes them, by SLOW_READS_MILLISECONDS.
#include <dlfcn.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

extern "C" {

ssize_t pread64(int file, void* buffer, size_t bytes, off64_t place) {
  static const auto original = reinterpret_cast<decltype(&pread64)>(::dlsym(RTLD_NEXT, "pread64"));
  static const char* const delay = std::getenv("SLOW_READS_MILLISECONDS");
  if (delay != nullptr) std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(delay)));
  return original(file, buffer, bytes, place);
}

// The same function on 64-bit systems.
ssize_t pread(int file, void* buffer, size_t bytes, off_t place) {
  return pread64(file, buffer, bytes, place);
}
}
