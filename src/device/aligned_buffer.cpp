#include "device/aligned_buffer.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace convoy {

namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

std::size_t rounded_up(std::size_t bytes, std::size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

}  // namespace

AlignedBuffer::AlignedBuffer(std::size_t bytes, Backing backing) : size_(bytes), backing_(backing) {
  if (bytes == 0) return;
  if (backing == Backing::memory)
    allocate();
  else
    reserve();
}

void AlignedBuffer::allocate() {
  const std::size_t multiple = size_ >= huge_page ? huge_page : alignment;
  const std::size_t allocated = rounded_up(size_, multiple);
  void* memory = allocated < size_ ? nullptr : std::aligned_alloc(multiple, allocated);
  if (memory == nullptr) {
    fail(ExitCode::device,
         "cannot allocate {:.1f} MB of memory: use a smaller batch or fewer ranks on this node",
         static_cast<double>(size_) / 1e6);
  }
  // Only advice: without huge pages everything works, but more slowly.
  if (multiple == huge_page) static_cast<void>(madvise(memory, allocated, MADV_HUGEPAGE));
  std::memset(memory, 0, allocated);
  data_ = static_cast<std::byte*>(memory);
}

void AlignedBuffer::reserve() {
  void* memory = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    fail(ExitCode::device, "cannot reserve {:.1f} MB of addresses: use a smaller batch",
         static_cast<double>(size_) / 1e6);
  data_ = static_cast<std::byte*>(memory);
}

AlignedBuffer::~AlignedBuffer() {
  if (backing_ == Backing::memory)
    std::free(data_);
  else if (data_ != nullptr)
    munmap(data_, size_);
}

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      backing_(other.backing_) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(backing_, other.backing_);
  return *this;
}

}  // namespace convoy
