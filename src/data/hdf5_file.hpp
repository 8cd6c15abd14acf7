// RAII wrappers of HDF5's C API, behind one process-wide lock (many site builds are not thread-safe), file
// locking as H5Pset_file_locking(fapl, false, true), object times off so that equal content gives equal
// bytes. Used by the store (data/) and by checkpoints (checkpoint/). All errors contain the file, the object
// and HDF5's own reason: ExitCode::bad_data for content, ExitCode::io for system errors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace convoy {

class Hdf5File {
 public:
  enum class Access { read, create };  // create truncates
  Hdf5File(const std::filesystem::path& path, Access access);
  ~Hdf5File();  // a file being written that was not closed stays incomplete
  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;
  void close();  // throws when the last bytes cannot be written (disk full)
  // Also appends a checksum of all data except the reserved datasets (data/metadata_checksum.hpp), which is
  // verified whenever the file is opened for reading.
  void close_with_checksum();

  void create_group(const std::string& path);  // with parents
  bool exists(const std::string& path) const;
  std::vector<std::string> children(const std::string& group) const;  // sorted names

  // Datasets: contiguous, unfiltered. `T` is float, std::int32_t, std::uint8_t or std::uint32_t.
  template <typename T>
  void write(const std::string& path, std::span<const T> values, const std::vector<std::uint64_t>& shape);
  void write_strings(const std::string& path,
                     const std::vector<std::string>& values);  // variable-length UTF-8

  // Reserves a dataset's space now and returns its byte offset in the file; 0 if it has no values.
  template <typename T>
  std::uint64_t reserve(const std::string& path, const std::vector<std::uint64_t>& shape);
  // Rows [first, first + rows) of the first dimension of a reserved dataset, written to the disk at once.
  template <typename T>
  void write_rows(const std::string& path, std::uint64_t first, std::uint64_t rows,
                  std::span<const T> values);

  std::vector<std::uint64_t> shape(const std::string& path) const;
  template <typename T>
  std::vector<T> read(const std::string& path) const;  // HDF5 converts to T within the same kind
  template <typename T>
  void read_into(const std::string& path, std::span<T> values) const;  // size must match
  template <typename T>
  void read_rows(const std::string& path, std::uint64_t first, std::uint64_t rows, std::span<T> values) const;
  std::vector<std::string> read_strings(const std::string& path) const;
  // Byte offset of a contiguous, unfiltered dataset of exactly this type; 0 if it is chunked, compressed or
  // converted.
  template <typename T>
  std::uint64_t contiguous_offset(const std::string& path) const;

  // Attributes of the object at `path` ("/" is the root).
  void set_attribute(const std::string& path, const std::string& name, std::string_view text);
  void set_attribute(const std::string& path, const std::string& name, std::int64_t value);
  void set_attribute(const std::string& path, const std::string& name, double value);
  void set_attribute(const std::string& path, const std::string& name, std::uint32_t value);
  bool has_attribute(const std::string& path, const std::string& name) const;
  std::string text_attribute(const std::string& path, const std::string& name) const;
  std::int64_t integer_attribute(const std::string& path, const std::string& name) const;
  double real_attribute(const std::string& path, const std::string& name) const;

  const std::filesystem::path& path() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace convoy
