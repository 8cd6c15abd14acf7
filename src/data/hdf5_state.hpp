// Internals of Hdf5File, shared only by implementation files of this folder: the lock on the library, owned
// identifiers, and the operations on an open file that implement the public members. This header does not
// include HDF5's (an identifier of HDF5, hid_t, is a 64-bit integer).
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "base/file_descriptor.hpp"
#include "base/memory_file.hpp"
#include "data/bulk_ranges.hpp"
#include "data/hdf5_file.hpp"
#include "data/hdf5_texts.hpp"

namespace convoy {

namespace hdf5 {

using Id = std::int64_t;

// One call of a public member into the library: holds its lock and suppresses its error output. Everything
// below requires a live Session.
class Session {
 public:
  Session();

 private:
  std::unique_lock<std::mutex> lock_;
};

// Owns any identifier except a file's (closing a file can fail, and the failure matters).
class Handle {
 public:
  explicit Handle(Id id = -1) : id_(id) {}
  ~Handle();
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Handle& operator=(Handle&&) = delete;
  operator Id() const { return id_; }

 private:
  Id id_;
};

// A list of creation properties of the given class, with object times disabled.
Handle without_times(Id list_class);

// Text of variable length, UTF-8.
Handle text_type();

// The reason why the last HDF5 call failed: its first error, and errno for a system error.
struct Reason {
  std::string text;
  int system_error = 0;
};
Reason innermost_reason();

// Number of values; the largest integer when it does not fit.
std::uint64_t product(const std::vector<std::uint64_t>& shape);

}  // namespace hdf5

struct Hdf5File::State {
  using Id = hdf5::Id;
  using Handle = hdf5::Handle;

  // A reserved dataset of a file being written.
  struct Reserved {
    std::string name;
    std::uint64_t offset = 0, rows = 0, row_bytes = 0;
    std::uint64_t bytes() const { return rows * row_bytes; }
  };

  std::filesystem::path path;
  Id file = -1;
  // Only for a file being written. HDF5 builds the structure in memory; `target` is the file on disk, to
  // which rows of reserved datasets are written at once, the structure at closing. HDF5 leaves objects half
  // open when a write fails, and crashes on them later or at exit; here the writes that a full disk can fail
  // are not its own.
  std::optional<MemoryFile> structure;
  FileDescriptor target;
  std::vector<Reserved> reserved;
  mutable std::optional<Hdf5Texts> heap_texts;  // of a file being read, from its first text on

  bool writing() const { return structure.has_value(); }
  std::vector<BulkRange> bulk() const;
  // Throws ExitCode::io if the limit on the size of files (ulimit -f) leaves no room for `bytes` more: the
  // limit also applies to files in memory.
  void require_room(std::uint64_t bytes) const;
  void write_structure() const;  // to the target, after HDF5 has closed the file

  // Throws for the HDF5 call that just failed ("cannot <what>: …").
  [[noreturn]] void refuse(const std::string& what) const;
  // Throws for content that is readable but not as expected.
  [[noreturn]] void refuse_content(const std::string& object, const std::string& problem) const;
  // Takes ownership of an identifier that a call returned; throws if it is negative ("cannot <verb> <object>:
  // …").
  Handle checked(Id id, const char* verb, const std::string& object) const;

  // Throws for a link by name on the way, which could lead to another file.
  bool exists(const std::string& name) const;
  // Throws also for values that are in another file.
  Handle open_dataset(const std::string& name) const;
  Handle open_object(const std::string& name) const;
  Handle open_attribute(const std::string& object, const std::string& name) const;
  // Creates the group `name` and its parents; with `parents_only` only the parents.
  void make_groups(const std::string& name, bool parents_only) const;
  Handle create_dataset(const std::string& name, Id type, const std::vector<std::uint64_t>& extents) const;
  std::vector<std::uint64_t> shape_of(Id dataset, const std::string& name) const;
  // Rejects a dataset that does not contain integers or reals, whichever `wanted` is; HDF5 converts width and
  // byte order.
  void check_kind(Id type, Id wanted, const std::string& name) const;
  // Rejects a dataset that claims more values than the file can hold, before memory is allocated for them.
  // Compressed ones may have as many as deflate can pack.
  void check_extent(const std::string& name, Id dataset, std::uint64_t count) const;
  void read_all(const std::string& name, Id type, void* values, std::uint64_t count) const;
  // Rows [first, first + rows), `count` values.
  void read_rows(const std::string& name, std::uint64_t first, std::uint64_t rows, std::uint64_t count,
                 Id type, void* values) const;
  std::uint64_t file_bytes() const;
  // Whether texts of this type are of variable length, so that HDF5 must not read them. Throws for anything
  // but text.
  bool is_heap_text(Id type, const std::string& name) const;
  std::vector<std::string> heap_texts_of(Id dataset, std::uint64_t count, const std::string& name) const;
  std::string heap_text_of(const std::string& object, const std::string& name) const;  // an attribute's
  Hdf5Texts& heap() const;
  std::uint64_t header_of(const std::string& object) const;  // its place in the file
  // To be called before HDF5 looks at an object's type or attributes (data/hdf5_texts.hpp). Throws if it must
  // not.
  void check_object(const std::string& object) const;
  // Texts of a fixed length of a dataset or an attribute; `read` reads them in a given type.
  std::vector<std::string> read_fixed_texts(Id type, std::uint64_t count, const std::string& name,
                                            const std::function<int(Id, void*)>& read) const;
  // A single value of the given type on disk and in memory; replaces an existing one.
  void put_attribute(const std::string& object, const std::string& name, Id stored, Id memory,
                     const void* value) const;
  // A single number; with `whole_only` it must be an integer.
  void get_attribute(const std::string& object, const std::string& name, Id memory, bool whole_only,
                     void* value) const;
};

}  // namespace convoy
