// Owns a file descriptor. Reads and writes are repeated until all bytes are there, whatever signals come in
// between. For files that are read or written without a library: base/'s whole files and locks, data/'s
// shards, archives and checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace convoy {

// Members throw ExitCode::io that names the file and the system's reason. Any number of threads may read at
// offsets at once.
class FileDescriptor {
 public:
  FileDescriptor() = default;  // owns nothing
  // Takes over an open descriptor; −1 for none. `name` stands for the file in errors.
  FileDescriptor(int number, std::string name);
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;

  bool is_open() const { return number_ >= 0; }
  int number() const { return number_; }
  std::uint64_t size() const;  // of the file

  // Reads at `offset`, as many bytes as there are room and file left. Returns how many.
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) const;
  // Fills all of `bytes`; a file that ends before is an error.
  void read_exactly(std::uint64_t offset, std::span<std::byte> bytes) const;
  // Everything from the current position on; pipes too.
  std::string read_to_end() const;

  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) const;
  void write(std::string_view text) const;  // at the current position

 private:
  int number_ = -1;
  std::string name_;
};

// open(2) with O_CLOEXEC. Where the system refuses, try_open returns one that is not open and leaves the
// reason in errno; open_file throws ExitCode::io.
FileDescriptor try_open(const std::filesystem::path& path, int flags);
FileDescriptor open_file(const std::filesystem::path& path, int flags);

}  // namespace convoy
