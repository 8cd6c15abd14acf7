// A loop over independent pieces of work on several threads, used for packing: images are decoded, painted
// and summed in parallel. Training does not use it (its threads live longer).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace convoy {

// Calls work(i) for each i in [0, count), on `workers` threads (including the caller's). After an exception
// no new piece starts; the first exception is thrown to the caller after all threads have ended.
template <typename Work>
void parallel_for(std::int64_t count, int workers, Work&& work) {
  std::atomic<std::int64_t> next{0};
  std::exception_ptr first_error;
  std::mutex error_lock;
  const auto run = [&] {
    for (std::int64_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard guard(error_lock);
        if (!first_error) first_error = std::current_exception();
        next.store(count);
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    const std::int64_t extra = std::min<std::int64_t>(workers, count) - 1;
    for (std::int64_t thread = 0; thread < extra; ++thread) threads.emplace_back(run);
    run();
  }
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace convoy
