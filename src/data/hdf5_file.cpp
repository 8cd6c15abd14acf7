#include "data/hdf5_file.hpp"

#include <fcntl.h>
#include <hdf5.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <concepts>
#include <utility>

#include "base/error.hpp"
#include "data/hdf5_state.hpp"
#include "data/metadata_checksum.hpp"

namespace convoy {

using hdf5::Handle;
using hdf5::Session;

namespace {

template <typename T>
hid_t memory_type() {
  if constexpr (std::same_as<T, float>) return H5T_NATIVE_FLOAT;
  if constexpr (std::same_as<T, double>) return H5T_NATIVE_DOUBLE;
  if constexpr (std::same_as<T, std::uint8_t>) return H5T_NATIVE_UINT8;
  if constexpr (std::same_as<T, std::int32_t>) return H5T_NATIVE_INT32;
  if constexpr (std::same_as<T, std::uint32_t>) return H5T_NATIVE_UINT32;
  if constexpr (std::same_as<T, std::int64_t>) return H5T_NATIVE_INT64;
}

template <typename T>
hid_t file_type() {
  if constexpr (std::same_as<T, float>) return H5T_IEEE_F32LE;
  if constexpr (std::same_as<T, double>) return H5T_IEEE_F64LE;
  if constexpr (std::same_as<T, std::uint8_t>) return H5T_STD_U8LE;
  if constexpr (std::same_as<T, std::int32_t>) return H5T_STD_I32LE;
  if constexpr (std::same_as<T, std::uint32_t>) return H5T_STD_U32LE;
  if constexpr (std::same_as<T, std::int64_t>) return H5T_STD_I64LE;
}

}  // namespace

Hdf5File::Hdf5File(const std::filesystem::path& path, Access access) : state_(std::make_unique<State>()) {
  if (access == Access::read) compare_metadata_checksum(path);
  const Session session;
  state_->path = path;
  const Handle properties(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_fclose_degree(properties, H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 10, 7)
  // flock fails on some Lustre and NFS mounts; Convoy publishes complete files by renaming.
  H5Pset_file_locking(properties, false, true);
#endif
  if (access == Access::create) {
    state_->target = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
    state_->structure.emplace(path.filename().c_str());
    // HDF5's default driver resolves links in the name, which has no meaning for a file in memory.
    H5Pset_fapl_stdio(properties);
    const Handle creation = hdf5::without_times(H5P_FILE_CREATE);
    errno = 0;
    state_->file = H5Fcreate(state_->structure->path().c_str(), H5F_ACC_TRUNC, creation, properties);
    if (state_->file < 0 && errno == EMFILE)  // of which HDF5 itself only says that "fopen failed"
      fail(ExitCode::io, "cannot create {}: {}", path.string(), system_error_text(EMFILE));
    if (state_->file < 0) state_->refuse("create it");
  } else {
    state_->file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, properties);
    if (state_->file < 0) state_->refuse("open it as HDF5");
  }
}

Hdf5File::~Hdf5File() {
  if (!state_ || state_->file < 0) return;
  const Session session;
  H5Fclose(state_->file);
}

Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
  std::swap(state_, other.state_);  // the other's destructor closes this file
  return *this;
}

void Hdf5File::close() {
  const Session session;
  if (state_->file < 0) return;
  if (H5Fclose(std::exchange(state_->file, -1)) < 0)
    fail(ExitCode::io, "{}: cannot finish writing: {}", path().string(), hdf5::innermost_reason().text);
  if (state_->writing()) state_->write_structure();
}

void Hdf5File::close_with_checksum() {
  close();
  append_metadata_checksum(path(), state_->bulk());
}

const std::filesystem::path& Hdf5File::path() const {
  return state_->path;
}

void Hdf5File::create_group(const std::string& path) {
  const Session session;
  state_->make_groups(path, false);
}

bool Hdf5File::exists(const std::string& path) const {
  const Session session;
  return state_->exists(path);
}

std::vector<std::string> Hdf5File::children(const std::string& group) const {
  const Session session;
  if (!state_->exists(group)) state_->refuse_content(group, "no such group");
  const Handle handle =
      state_->checked(H5Gopen2(state_->file, group.c_str(), H5P_DEFAULT), "open group", group);
  H5G_info_t info{};
  if (H5Gget_info(handle, &info) < 0) state_->refuse("list " + group);
  std::vector<std::string> names;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const ssize_t length =
        H5Lget_name_by_idx(handle, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    if (length < 0) state_->refuse("list " + group);
    std::string name(static_cast<std::size_t>(length), '\0');
    H5Lget_name_by_idx(handle, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size() + 1, H5P_DEFAULT);
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

template <typename T>
void Hdf5File::write(const std::string& path, std::span<const T> values,
                     const std::vector<std::uint64_t>& shape) {
  const Session session;
  ensure(hdf5::product(shape) == values.size(), "a dataset's shape and number of values differ");
  const Handle dataset = state_->create_dataset(path, file_type<T>(), shape);
  if (!values.empty() &&
      H5Dwrite(dataset, memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
    state_->refuse("write " + path);
}

void Hdf5File::write_strings(const std::string& path, const std::vector<std::string>& values) {
  const Session session;
  const Handle type = hdf5::text_type();
  const Handle dataset = state_->create_dataset(path, type, {values.size()});
  constexpr std::size_t most_frame = 32;  // of a text in HDF5's heap
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  std::uint64_t bytes = 0;
  for (const std::string& value : values) {
    pointers.push_back(value.c_str());
    bytes += value.size() + most_frame;
  }
  state_->require_room(bytes);
  if (!values.empty() && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()) < 0)
    state_->refuse("write " + path);
}

template <typename T>
std::uint64_t Hdf5File::reserve(const std::string& path, const std::vector<std::uint64_t>& shape) {
  const Session session;
  const Handle dataset = state_->create_dataset(path, file_type<T>(), shape);
  const haddr_t offset = H5Dget_offset(dataset);
  if (offset == HADDR_UNDEF) return 0;  // nothing to store
  const std::vector<std::uint64_t> row(shape.begin() + 1, shape.end());
  state_->reserved.push_back({path, offset, shape.front(), hdf5::product(row) * sizeof(T)});
  return offset;
}

template <typename T>
void Hdf5File::write_rows(const std::string& path, std::uint64_t first, std::uint64_t rows,
                          std::span<const T> values) {
  static_assert(std::endian::native == std::endian::little, "values are stored in their memory layout");
  if (values.empty()) return;
  const auto dataset = std::ranges::find(state_->reserved, path, &State::Reserved::name);
  ensure(dataset != state_->reserved.end(), "rows are written to a reserved dataset");
  ensure(first <= dataset->rows && rows <= dataset->rows - first &&
             rows * dataset->row_bytes == values.size_bytes(),
         "rows that are written are the dataset's");
  state_->target.write_at(dataset->offset + first * dataset->row_bytes, std::as_bytes(values));
}

std::vector<std::uint64_t> Hdf5File::shape(const std::string& path) const {
  const Session session;
  return state_->shape_of(state_->open_dataset(path), path);
}

template <typename T>
std::vector<T> Hdf5File::read(const std::string& path) const {
  const Session session;
  const Handle dataset = state_->open_dataset(path);
  const std::uint64_t count = hdf5::product(state_->shape_of(dataset, path));
  state_->check_extent(path, dataset, count);
  std::vector<T> values(count);
  state_->read_all(path, memory_type<T>(), values.data(), count);
  return values;
}

template <typename T>
void Hdf5File::read_into(const std::string& path, std::span<T> values) const {
  const Session session;
  state_->read_all(path, memory_type<T>(), values.data(), values.size());
}

template <typename T>
void Hdf5File::read_rows(const std::string& path, std::uint64_t first, std::uint64_t rows,
                         std::span<T> values) const {
  const Session session;
  state_->read_rows(path, first, rows, values.size(), memory_type<T>(), values.data());
}

std::vector<std::string> Hdf5File::read_strings(const std::string& path) const {
  const Session session;
  const Handle dataset = state_->open_dataset(path);
  const Handle type = state_->checked(H5Dget_type(dataset), "read the type of", path);
  const std::uint64_t count = hdf5::product(state_->shape_of(dataset, path));
  state_->check_extent(path, dataset, count);
  if (state_->is_heap_text(type, path)) return state_->heap_texts_of(dataset, count, path);
  return state_->read_fixed_texts(type, count, path, [&](hdf5::Id memory, void* values) {
    return H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
  });
}

template <typename T>
std::uint64_t Hdf5File::contiguous_offset(const std::string& path) const {
  const Session session;
  const Handle dataset = state_->open_dataset(path);
  const Handle type = state_->checked(H5Dget_type(dataset), "read the type of", path);
  const Handle layout = state_->checked(H5Dget_create_plist(dataset), "read the layout of", path);
  if (H5Tequal(type, memory_type<T>()) <= 0 || H5Pget_layout(layout) != H5D_CONTIGUOUS ||
      H5Pget_external_count(layout) != 0)
    return 0;
  const haddr_t offset = H5Dget_offset(dataset);
  return offset == HADDR_UNDEF ? 0 : offset;
}

void Hdf5File::set_attribute(const std::string& path, const std::string& name, std::string_view text) {
  const Session session;
  const Handle type = hdf5::text_type();
  const std::string copy(text);
  state_->require_room(copy.size());
  const char* pointer = copy.c_str();
  state_->put_attribute(path, name, type, type, &pointer);
}

void Hdf5File::set_attribute(const std::string& path, const std::string& name, std::int64_t value) {
  const Session session;
  state_->put_attribute(path, name, file_type<std::int64_t>(), memory_type<std::int64_t>(), &value);
}

void Hdf5File::set_attribute(const std::string& path, const std::string& name, double value) {
  const Session session;
  state_->put_attribute(path, name, file_type<double>(), memory_type<double>(), &value);
}

void Hdf5File::set_attribute(const std::string& path, const std::string& name, std::uint32_t value) {
  const Session session;
  state_->put_attribute(path, name, file_type<std::uint32_t>(), memory_type<std::uint32_t>(), &value);
}

bool Hdf5File::has_attribute(const std::string& path, const std::string& name) const {
  const Session session;
  const Handle owner = state_->open_object(path);
  state_->check_object(path);
  return H5Aexists(owner, name.c_str()) > 0;
}

std::string Hdf5File::text_attribute(const std::string& path, const std::string& name) const {
  const Session session;
  const Handle attribute = state_->open_attribute(path, name);
  const Handle type = state_->checked(H5Aget_type(attribute), "read the type of attribute", name);
  const Handle space = state_->checked(H5Aget_space(attribute), "read the shape of attribute", name);
  if (H5Sget_simple_extent_npoints(space) != 1)
    state_->refuse_content(path, fmt::format("attribute '{}' is not a single text", name));
  const std::string object = fmt::format("{} attribute '{}'", path, name);
  if (state_->is_heap_text(type, object)) return state_->heap_text_of(path, name);
  return state_
      ->read_fixed_texts(type, 1, object,
                         [&](hdf5::Id memory, void* value) { return H5Aread(attribute, memory, value); })
      .front();
}

std::int64_t Hdf5File::integer_attribute(const std::string& path, const std::string& name) const {
  const Session session;
  std::int64_t value = 0;
  state_->get_attribute(path, name, memory_type<std::int64_t>(), true, &value);
  return value;
}

double Hdf5File::real_attribute(const std::string& path, const std::string& name) const {
  const Session session;
  double value = 0;
  state_->get_attribute(path, name, memory_type<double>(), false, &value);
  return value;
}

#define CONVOY_DATASETS_OF(T)                                                                          \
  template void Hdf5File::write<T>(const std::string&, std::span<const T>,                             \
                                   const std::vector<std::uint64_t>&);                                 \
  template std::uint64_t Hdf5File::reserve<T>(const std::string&, const std::vector<std::uint64_t>&);  \
  template void Hdf5File::write_rows<T>(const std::string&, std::uint64_t, std::uint64_t,              \
                                        std::span<const T>);                                           \
  template std::vector<T> Hdf5File::read<T>(const std::string&) const;                                 \
  template void Hdf5File::read_into<T>(const std::string&, std::span<T>) const;                        \
  template void Hdf5File::read_rows<T>(const std::string&, std::uint64_t, std::uint64_t, std::span<T>) \
      const;                                                                                           \
  template std::uint64_t Hdf5File::contiguous_offset<T>(const std::string&) const;
CONVOY_DATASETS_OF(float)
CONVOY_DATASETS_OF(std::int32_t)
CONVOY_DATASETS_OF(std::uint8_t)
CONVOY_DATASETS_OF(std::uint32_t)
#undef CONVOY_DATASETS_OF

}  // namespace convoy
