#include "base/build_identity.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstring>
#include <span>
#include <string_view>

namespace convoy {
namespace {

constexpr std::size_t padded(std::size_t bytes) {
  return (bytes + 3) / 4 * 4;
}

// The identifier in a segment of notes; empty if it is not there.
std::string identity_in(std::span<const unsigned char> notes) {
  ElfW(Nhdr) header{};
  while (notes.size() >= sizeof header) {
    std::memcpy(&header, notes.data(), sizeof header);
    notes = notes.subspan(sizeof header);
    const std::size_t name_bytes = padded(header.n_namesz), value_bytes = padded(header.n_descsz);
    if (notes.size() < name_bytes + value_bytes) break;
    const std::string_view name(reinterpret_cast<const char*>(notes.data()), header.n_namesz);
    if (header.n_type == NT_GNU_BUILD_ID && name == std::string_view("GNU\0", 4)) {
      std::string digits;
      for (const unsigned char byte : notes.subspan(name_bytes, header.n_descsz))
        digits += fmt::format("{:02x}", byte);
      return digits;
    }
    notes = notes.subspan(name_bytes + value_bytes);
  }
  return {};
}

// Called for the program first, then for its libraries.
int look_at_program(dl_phdr_info* program, std::size_t /*bytes*/, void* result) {
  auto& identity = *static_cast<std::string*>(result);
  for (const ElfW(Phdr) & segment : std::span(program->dlpi_phdr, program->dlpi_phnum)) {
    if (segment.p_type != PT_NOTE || !identity.empty()) continue;
    // The loader tells addresses as numbers. NOLINTNEXTLINE(performance-no-int-to-ptr)
    const auto* begin = reinterpret_cast<const unsigned char*>(program->dlpi_addr + segment.p_vaddr);
    identity = identity_in({begin, segment.p_memsz});
  }
  return 1;  // no library
}

}  // namespace

std::string build_identity() {
  std::string identity;
  ::dl_iterate_phdr(look_at_program, &identity);
  return identity;
}

}  // namespace convoy
