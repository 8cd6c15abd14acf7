#include "foreign/allocation_peak.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

std::size_t allocated = 0, peak = 0;  // of one thread: these tests have no other

void* counted(std::size_t bytes) {
  void* block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
  allocated += malloc_usable_size(block);
  peak = std::max(peak, allocated);
  return block;
}

void released(void* block) noexcept {
  if (block != nullptr) allocated -= malloc_usable_size(block);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes);
}
// The standard library's calls the one above; AddressSanitizer's, which stands in its place, does not.
void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  try {
    return counted(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* block) noexcept {
  released(block);
}
void operator delete(void* block, std::size_t) noexcept {
  released(block);
}

namespace convoy::test {

AllocationPeak::AllocationPeak() : before_(allocated) {
  peak = allocated;
}

std::size_t AllocationPeak::bytes() const {
  return peak - before_;
}

}  // namespace convoy::test
