#include "report/line_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/counted.hpp"
#include "base/error.hpp"

namespace convoy {
namespace {

constexpr std::size_t most_kept = 16U << 20U;  // bytes: some ten thousand lines

std::uint64_t lines_in(std::string_view text) {
  return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

// Where the last complete line ends: a process that is killed may leave a part of one.
std::uint64_t end_of_lines(const FileDescriptor& file) {
  constexpr std::uint64_t longest = 1U << 16U;  // of a line
  const std::uint64_t size = file.size(), part = std::min(size, longest);
  const std::size_t newline = file.read_part(size - part, part).rfind('\n');
  if (newline != std::string::npos) return size - part + newline + 1;
  return part < size ? size : 0;
}

}  // namespace

LineFile::LineFile(std::filesystem::path path, const Log& log) : path_(std::move(path)), log_(log) {}

LineFile::~LineFile() {
  try {
    write_kept();
  } catch (const Error&) {  // already told
  }
  if (const std::uint64_t lost = dropped_ + lines_in(kept_); lost > 0)
    log_.warn("{} misses {} that could not be written", path_.string(), counted(lost, "line"));
}

void LineFile::append(std::string_view line) {
  kept_ += line;
  try {
    write_kept();
    if (std::exchange(failing_, false)) log_.info("{} is written again", path_.string());
  } catch (const Error& error) {
    if (!std::exchange(failing_, true))
      log_.warn("{}: the run continues, and its lines are kept until they can be written", error.what());
  }
  while (kept_.size() > most_kept) {
    kept_.erase(0, kept_.find('\n') + 1);
    ++dropped_;
  }
}

void LineFile::write_kept() {
  if (kept_.empty()) return;
  if (!file_.is_open() || !is_as_left()) open();
  try {
    file_.write_at(end_, std::as_bytes(std::span(kept_.data(), kept_.size())));
  } catch (const Error&) {
    try {
      file_.resize(end_);     // half a line would damage the next one
    } catch (const Error&) {  // the first error tells more
    }
    throw;
  }
  end_ += kept_.size();
  kept_.clear();
}

void LineFile::open() {
  file_ = {};
  std::error_code error;  // opening says why
  std::filesystem::create_directories(path_.parent_path(), error);
  file_ = open_file(path_, O_RDWR | O_CREAT);
  end_ = end_of_lines(file_);
  if (end_ < file_.size()) file_.resize(end_);
}

// Whether the open file is the one that has this path, and nobody cut it or added to it.
bool LineFile::is_as_left() const {
  struct stat here {
  }, named{};
  return ::fstat(file_.number(), &here) == 0 && ::stat(path_.c_str(), &named) == 0 &&
         here.st_dev == named.st_dev && here.st_ino == named.st_ino && std::cmp_equal(here.st_size, end_);
}

}  // namespace convoy
