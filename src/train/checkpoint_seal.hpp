// A seal at the end of a checkpoint: 16 bytes after the last one that HDF5 uses, with a checksum of the whole
// file. HDF5's own structures carry no checksums, and the library crashes on some that are damaged; so a file
// is checked as a whole before HDF5 sees it. HDF5 (and so h5py) ignores the bytes after its end, and takes
// them away when it changes a file. For train/'s checkpoint files.
#pragma once

#include <filesystem>

namespace convoy {

// Appends the seal: "CVYSEAL1", CRC-32C of all bytes before it (u32, little-endian), four zero bytes. Throws
// ExitCode::io.
void append_seal(const std::filesystem::path& path);

// Throws ExitCode::bad_data when the file does not match its seal, or has bytes after HDF5's end that are no
// seal; ExitCode::io when it cannot be read. A file of another program, which ends where HDF5 does, passes.
void check_seal(const std::filesystem::path& path);

}  // namespace convoy
