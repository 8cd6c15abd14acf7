// How much memory a piece of a test takes at most: what operator new gave out and has not got back. For tests
// that a small file cannot make a reader allocate much.
#pragma once

#include <cstddef>

namespace convoy::test {

class AllocationPeak {
 public:
  AllocationPeak();           // counts from here on
  std::size_t bytes() const;  // the peak above what was allocated at the beginning

 private:
  std::size_t before_;
};

}  // namespace convoy::test
