// Owns a file descriptor. Reads and writes are repeated until all bytes are transferred, despite signals. For
// files that are read or written without a library: base/'s complete files and locks, data/'s shards,
// archives and checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace convoy {

// Members throw ExitCode::io with the file and the system's reason. Any number of threads may read at offsets
// at the same time.
class FileDescriptor {
 public:
  FileDescriptor() = default;  // owns nothing
  // Takes ownership of an open descriptor; −1 for none. `name` is the file's name in errors.
  FileDescriptor(int number, std::string name);
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;

  bool is_open() const { return number_ >= 0; }
  int number() const { return number_; }
  std::uint64_t size() const;  // of the file

  // Reads at `offset` until `bytes` is full or the file ends. Returns the number of bytes.
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) const;
  // Fills all of `bytes`; throws if the file ends before.
  void read_exactly(std::uint64_t offset, std::span<std::byte> bytes) const;
  // The `bytes` bytes at `offset`; throws if the file ends before.
  std::string read_part(std::uint64_t offset, std::uint64_t bytes) const;
  // Everything from the current position on; also for pipes.
  std::string read_to_end() const;

  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) const;
  void write(std::string_view text) const;  // at the current position
  void resize(std::uint64_t bytes) const;   // added bytes are zero

 private:
  int number_ = -1;
  std::string name_;
};

// open(2) with O_CLOEXEC. On failure, try_open returns a descriptor that is not open and leaves the reason in
// errno; open_file throws ExitCode::io.
FileDescriptor try_open(const std::filesystem::path& path, int flags);
FileDescriptor open_file(const std::filesystem::path& path, int flags);

// A type of file for messages: "a FIFO (named pipe)", "a socket".
std::string_view file_type_text(std::filesystem::file_type type);

// Opens a file to read at offsets. Throws ExitCode::io for anything but a regular file too: opening a FIFO
// would wait for a program that writes to it, perhaps without end.
FileDescriptor open_regular_file(const std::filesystem::path& path);

// All bytes of a file, or of a pipe to which a program writes, such as a shell's <(...); none of /dev/null.
// Throws ExitCode::io, also for a FIFO to which no program writes.
std::string read_file_or_pipe(const std::filesystem::path& path);

}  // namespace convoy
