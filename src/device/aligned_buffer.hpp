// Host memory for tensors: aligned to cache lines, large buffers to huge pages (which halve the time of
// streaming through hundreds of megabytes). Owned by engines: flat parameter buffers, activation arenas,
// weight copies.
#pragma once

#include <cstddef>
#include <span>

namespace convoy {

// What stands behind a buffer's addresses. `addresses`: no memory, so that what a program would take can be
// planned on a machine that does not have it; an access ends the process.
enum class Backing { memory, addresses };

class AlignedBuffer {
 public:
  static constexpr std::size_t alignment = 64;

  AlignedBuffer() = default;
  // `bytes` of zeroed memory; 0 creates an empty buffer. Throws ExitCode::device with the requested size if
  // there is not enough memory.
  explicit AlignedBuffer(std::size_t bytes, Backing backing = Backing::memory);
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }  // bytes

  // The memory as elements of T; a remainder is ignored.
  template <typename T>
  std::span<T> as() const {
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }

 private:
  void allocate();
  void reserve();

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  Backing backing_ = Backing::memory;
};

}  // namespace convoy
