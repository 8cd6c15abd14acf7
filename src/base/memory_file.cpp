#include "base/memory_file.hpp"

#include <sys/mman.h>

#include <cerrno>

#include "base/error.hpp"

namespace convoy {

MemoryFile::MemoryFile(const char* name)
    : file_(::memfd_create(name, MFD_CLOEXEC), fmt::format("{} in memory", name)) {
  if (!file_.is_open()) fail(ExitCode::io, "cannot create {} in memory: {}", name, system_error_text(errno));
}

std::string MemoryFile::path() const {
  return fmt::format("/proc/self/fd/{}", file_.number());
}

}  // namespace convoy
