#include "fuzz/fuzz_target.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <new>

#include "base/error.hpp"
#include "base/memory_file.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::fuzz {

namespace {

[[noreturn]] void report(const Error& error) {
  std::fprintf(stderr, "an error that no file should cause, category %d: %s\n",
               static_cast<int>(error.category()), error.what());
  std::abort();
}

// Files and folders of a run; a function's own object, so that they disappear at the end.
struct Places {
  std::unique_ptr<MemoryFile> file;
  std::unique_ptr<test::TemporaryFolder> folder;
};

Places& places() {
  static Places all;
  return all;
}

void write_seeds(const std::filesystem::path& target) {
  std::filesystem::create_directories(target);
  for (const Seed& seed : seeds()) {
    std::ofstream file(target / ("seed-" + seed.name), std::ios::binary);
    file.write(seed.bytes.data(), static_cast<std::streamsize>(seed.bytes.size()));
  }
}

}  // namespace

void attempt(const std::function<void()>& read) {
  try {
    read();
  } catch (const Error& error) {
    switch (error.category()) {
      case ExitCode::usage:
      case ExitCode::bad_data:
      case ExitCode::io:
        // CONVOY_FUZZ_ERRORS=1 shows why an input is refused.
        if (std::getenv("CONVOY_FUZZ_ERRORS") != nullptr) std::fprintf(stderr, "refused: %s\n", error.what());
        return;
      default:
        report(error);
    }
  }
}

std::filesystem::path file_of(std::string_view bytes) {
  std::unique_ptr<MemoryFile>& file = places().file;
  file = std::make_unique<MemoryFile>("input");
  file->descriptor().write(bytes);
  return file->path();
}

std::filesystem::path folder() {
  if (!places().folder) {
    // A run makes thousands of files a second.
    if (std::filesystem::exists("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 1);
    places().folder = std::make_unique<test::TemporaryFolder>();
  }
  return places().folder->path();
}

std::filesystem::path write_part(const std::string& name, std::string_view bytes) {
  std::ofstream file(folder() / name, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return folder() / name;
}

std::string with_tar_sums(std::string_view bytes) {
  constexpr std::size_t block = 512, magic = 257, sum_begin = 148, sum_bytes = 8;
  std::string fixed(bytes);
  for (std::size_t at = 0; at + block <= fixed.size(); at += block) {
    if (fixed.compare(at + magic, 5, "ustar") != 0) continue;
    fixed.replace(at + sum_begin, sum_bytes, sum_bytes, ' ');
    unsigned sum = 0;
    for (std::size_t i = 0; i < block; ++i) sum += static_cast<unsigned char>(fixed[at + i]);
    char text[sum_bytes];
    std::snprintf(text, sizeof(text), "%06o", sum);
    fixed.replace(at + sum_begin, sum_bytes, text, sum_bytes);
  }
  return fixed;
}

std::string_view take_text(std::string_view& bytes) {
  const auto zero = std::min(bytes.find('\0'), bytes.size());
  const std::string_view text = bytes.substr(0, zero);
  bytes.remove_prefix(std::min(zero + 1, bytes.size()));
  return text;
}

}  // namespace convoy::fuzz

// libFuzzer leaves arguments that begin with "--" to the program: --seeds=FOLDER writes the seeds first.
extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  constexpr std::string_view option = "--seeds=";
  for (int i = 1; i < *count; ++i) {
    const std::string_view argument = (*arguments)[i];
    if (argument.starts_with(option)) convoy::fuzz::write_seeds(argument.substr(option.size()));
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  convoy::fuzz::attempt([&] { convoy::fuzz::read_input({reinterpret_cast<const char*>(data), size}); });
  return 0;
}

// No input has more than a few hundred KB: an allocation as large as this is a claimed size that was
// believed. Counted here and not by libFuzzer's -malloc_limit_mb, because HDF5 asks for claimed sizes too,
// and gives up when it gets nothing (or memory that it never touches).
namespace {

void* allocated(std::size_t bytes) {
  constexpr std::size_t most = std::size_t{256} << 20;
  if (bytes > most) {
    std::fprintf(stderr, "an allocation of %zu bytes\n", bytes);
    std::abort();
  }
  void* block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return allocated(bytes);
}
void* operator new[](std::size_t bytes) {
  return allocated(bytes);
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return std::malloc(bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return std::malloc(bytes);
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}
void operator delete[](void* block) noexcept {
  std::free(block);
}
void operator delete[](void* block, std::size_t) noexcept {
  std::free(block);
}
