#include "base/file_descriptor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace convoy {

namespace {

[[noreturn]] void refuse(const char* action, const std::string& name) {
  const int number = errno;
  fail(ExitCode::io, "cannot {} {}: {}", action, name, system_error_text(number));
}

// One call of read, write or a similar function, repeated after a signal. Returns the number of bytes
// transferred.
template <typename Call>
std::size_t transfer(const char* action, const std::string& name, Call&& call) {
  ssize_t count = 0;
  do {
    count = call();
  } while (count < 0 && errno == EINTR);
  if (count < 0) refuse(action, name);
  return static_cast<std::size_t>(count);
}

}  // namespace

FileDescriptor::FileDescriptor(int number, std::string name) : number_(number), name_(std::move(name)) {}

FileDescriptor::~FileDescriptor() {
  if (is_open()) ::close(number_);
}

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : number_(std::exchange(other.number_, -1)), name_(std::move(other.name_)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  FileDescriptor taken(std::move(other));
  std::swap(number_, taken.number_);
  std::swap(name_, taken.name_);
  return *this;
}

std::uint64_t FileDescriptor::size() const {
  struct stat status {};
  if (::fstat(number_, &status) != 0) refuse("read", name_);
  return static_cast<std::uint64_t>(status.st_size);
}

std::size_t FileDescriptor::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::size_t count = transfer("read", name_, [&] {
      return ::pread(number_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    });
    if (count == 0) break;
    done += count;
  }
  return done;
}

void FileDescriptor::read_exactly(std::uint64_t offset, std::span<std::byte> bytes) const {
  if (read_at(offset, bytes) != bytes.size())
    fail(ExitCode::io, "{} became shorter while it was read", name_);
}

std::string FileDescriptor::read_part(std::uint64_t offset, std::uint64_t bytes) const {
  std::string part(bytes, '\0');
  read_exactly(offset, std::as_writable_bytes(std::span(part)));
  return part;
}

std::string FileDescriptor::read_to_end() const {
  std::string text;
  for (std::vector<char> piece(1 << 16);;) {
    const std::size_t count =
        transfer("read", name_, [&] { return ::read(number_, piece.data(), piece.size()); });
    if (count == 0) return text;
    text.append(piece.data(), count);
  }
}

void FileDescriptor::write_at(std::uint64_t offset, std::span<const std::byte> bytes) const {
  for (std::size_t done = 0; done < bytes.size();) {
    done += transfer("write", name_, [&] {
      return ::pwrite(number_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    });
  }
}

void FileDescriptor::write(std::string_view text) const {
  while (!text.empty())
    text.remove_prefix(transfer("write", name_, [&] { return ::write(number_, text.data(), text.size()); }));
}

void FileDescriptor::resize(std::uint64_t bytes) const {
  if (::ftruncate(number_, static_cast<off_t>(bytes)) != 0) refuse("change the size of", name_);
}

FileDescriptor try_open(const std::filesystem::path& path, int flags) {
  std::string name = path.string();
  const int number = ::open(name.c_str(), flags | O_CLOEXEC, 0666);
  return {number, std::move(name)};
}

FileDescriptor open_file(const std::filesystem::path& path, int flags) {
  FileDescriptor file = try_open(path, flags);
  if (!file.is_open()) refuse((flags & O_CREAT) != 0 ? "create" : "open", path.string());
  return file;
}

std::string_view file_type_text(std::filesystem::file_type type) {
  using std::filesystem::file_type;
  switch (type) {
    case file_type::regular:
      return "a file";
    case file_type::directory:
      return "a folder";
    case file_type::symlink:
      return "a symbolic link";
    case file_type::fifo:
      return "a FIFO (named pipe)";
    case file_type::socket:
      return "a socket";
    case file_type::block:
    case file_type::character:
      return "a device";
    default:
      return "of an unknown type";
  }
}

namespace {

[[noreturn]] void refuse_type(const std::filesystem::path& path, std::filesystem::file_type type) {
  fail(ExitCode::io, "{} is {}, not a file", path.string(), file_type_text(type));
}

// Opens without waiting for the other end of a FIFO. For a regular file O_NONBLOCK changes nothing.
FileDescriptor open_without_waiting(const std::filesystem::path& path, std::filesystem::file_type& type) {
  // A socket cannot be opened at all, so its type is asked first.
  std::error_code unknown;  // opening says why
  type = std::filesystem::status(path, unknown).type();
  if (type == std::filesystem::file_type::socket) refuse_type(path, type);
  FileDescriptor file = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) refuse("read", path.string());
  using std::filesystem::file_type;
  type = S_ISREG(status.st_mode)    ? file_type::regular
         : S_ISDIR(status.st_mode)  ? file_type::directory
         : S_ISFIFO(status.st_mode) ? file_type::fifo
                                    : file_type::character;
  return file;
}

}  // namespace

FileDescriptor open_regular_file(const std::filesystem::path& path) {
  std::filesystem::file_type type{};
  FileDescriptor file = open_without_waiting(path, type);
  if (type != std::filesystem::file_type::regular) refuse_type(path, type);
  return file;
}

std::string read_file_or_pipe(const std::filesystem::path& path) {
  std::filesystem::file_type type{};
  const FileDescriptor file = open_without_waiting(path, type);
  if (type == std::filesystem::file_type::regular) return file.read_to_end();
  // /dev/null is an empty file; other devices may have no end.
  if (char byte = 0; type == std::filesystem::file_type::character && ::read(file.number(), &byte, 1) == 0)
    return {};
  if (type != std::filesystem::file_type::fifo) refuse_type(path, type);
  std::string bytes;
  std::vector<char> piece(1 << 16);
  for (;;) {
    const ssize_t count = ::read(file.number(), piece.data(), piece.size());
    if (count == 0) break;
    if (count > 0) {
      bytes.append(piece.data(), static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {  // a program has the pipe open and has not written yet
      pollfd wait{file.number(), POLLIN, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      refuse("read", path.string());
    }
  }
  if (bytes.empty())
    fail(ExitCode::io, "{} is {} to which no program writes", path.string(), file_type_text(type));
  return bytes;
}

}  // namespace convoy
