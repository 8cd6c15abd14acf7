#include "data/hdf5_state.hpp"

#include <hdf5.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <concepts>

#include "base/error.hpp"

namespace convoy {

static_assert(std::same_as<hid_t, hdf5::Id>, "HDF5 1.10 or newer: identifiers have 64 bits");

namespace {

using hdf5::Handle;

// HDF5 has one global state per process, and therefore one lock.
std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}

herr_t collect_reason(unsigned depth, const H5E_error2_t* entry, void* out) {
  auto& reason = *static_cast<hdf5::Reason*>(out);
  const std::string_view text = entry->desc == nullptr ? "" : entry->desc;
  if (depth == 0 && !text.empty()) reason.text = text;
  constexpr std::string_view mark = "errno = ";
  if (const auto at = text.find(mark); at != text.npos && reason.system_error == 0)
    std::from_chars(text.data() + at + mark.size(), text.data() + text.size(), reason.system_error);
  return 0;
}

constexpr std::uint64_t largest_ratio = 1032;  // of deflate

std::string describe_shape(const std::vector<std::uint64_t>& shape) {
  std::string text;
  for (const std::uint64_t extent : shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "[" + text + "]";
}

}  // namespace

namespace hdf5 {

// In thread-safe builds each thread has its own error stack and printer, so printing is disabled each time.
Session::Session() : lock_(library_mutex()) {
  // An object whose bytes could not be written remains half open, and HDF5's clean-up at exit crashes on it.
  // Files are closed without that clean-up. This has an effect only before the library's first call.
  static const bool without_clean_up = H5dont_atexit() >= 0;
  static_cast<void>(without_clean_up);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Handle::~Handle() {
  if (id_ >= 0) H5Idec_ref(id_);
}

Handle without_times(Id list_class) {
  Handle list(H5Pcreate(list_class));
  H5Pset_obj_track_times(list, false);
  return list;
}

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

Reason innermost_reason() {
  Reason reason{"no reason given by HDF5"};
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, collect_reason, &reason);
  if (reason.system_error != 0) reason.text = system_error_text(reason.system_error);
  return reason;
}

std::uint64_t product(const std::vector<std::uint64_t>& shape) {
  std::uint64_t count = 1;
  for (const std::uint64_t extent : shape)
    if (__builtin_mul_overflow(count, extent, &count)) return UINT64_MAX;
  return count;
}

}  // namespace hdf5

using hdf5::Handle;

std::vector<BulkRange> Hdf5File::State::bulk() const {
  std::vector<BulkRange> ranges;
  for (const Reserved& dataset : reserved) ranges.push_back({dataset.offset, dataset.bytes()});
  return in_order(std::move(ranges));
}

void Hdf5File::State::require_room(std::uint64_t bytes) const {
  constexpr std::uint64_t most_structure = 1 << 16;  // of one object, generously
  rlimit limit{};
  hsize_t used = 0;
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  H5Fget_filesize(file, &used);
  if (used + bytes + most_structure > limit.rlim_cur)
    fail(ExitCode::io,
         "cannot write {}: {}: with its structure it may exceed the {} bytes that ulimit -f allows",
         path.string(), system_error_text(EFBIG), limit.rlim_cur);
}

void Hdf5File::State::write_structure() const {
  const std::uint64_t end = structure->descriptor().size();
  target.resize(end);
  read_between(
      structure->descriptor(), end, bulk(),
      [&](std::uint64_t offset, std::span<const std::byte> bytes) { target.write_at(offset, bytes); });
}

[[noreturn]] void Hdf5File::State::refuse(const std::string& what) const {
  const hdf5::Reason reason = hdf5::innermost_reason();
  fail(reason.system_error != 0 || writing() ? ExitCode::io : ExitCode::bad_data, "{}: cannot {}: {}",
       path.string(), what, reason.text);
}

[[noreturn]] void Hdf5File::State::refuse_content(const std::string& object,
                                                  const std::string& problem) const {
  fail(ExitCode::bad_data, "{}: {}: {}", path.string(), object, problem);
}

Handle Hdf5File::State::checked(Id id, const char* verb, const std::string& object) const {
  if (id < 0) refuse(fmt::format("{} {}", verb, object));
  return Handle(id);
}

Handle Hdf5File::State::open_dataset(const std::string& name) const {
  if (!exists(name)) refuse_content(name, "no such dataset");
  check_object(name);
  Handle dataset = checked(H5Dopen2(file, name.c_str(), H5P_DEFAULT), "open dataset", name);
  const Handle layout = checked(H5Dget_create_plist(dataset), "read the layout of", name);
  // It could be any file that this user may read.
  if (H5Pget_external_count(layout) != 0 || H5Pget_layout(layout) == H5D_VIRTUAL)
    refuse_content(name, "its values are in another file, which Convoy does not open");
  return dataset;
}

Handle Hdf5File::State::open_object(const std::string& name) const {
  if (!exists(name)) refuse_content(name, "no such object");
  return checked(H5Oopen(file, name.c_str(), H5P_DEFAULT), "open", name);
}

Handle Hdf5File::State::open_attribute(const std::string& object, const std::string& name) const {
  const Handle owner = open_object(object);
  check_object(object);
  if (H5Aexists(owner, name.c_str()) <= 0) refuse_content(object, fmt::format("no attribute '{}'", name));
  return checked(H5Aopen(owner, name.c_str(), H5P_DEFAULT), "open attribute", name);
}

bool Hdf5File::State::exists(const std::string& name) const {
  for (std::size_t at = name.find_first_not_of('/'); at != name.npos;) {
    const std::size_t end = name.find('/', at);
    const std::string part = name.substr(0, end);
    if (H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0) return false;
    // A link by name may lead to another file.
    H5L_info_t link{};
    if (H5Lget_info(file, part.c_str(), &link, H5P_DEFAULT) < 0) refuse("look up " + part);
    if (link.type != H5L_TYPE_HARD) refuse_content(part, "is a link to a name, which Convoy does not follow");
    at = end == name.npos ? end : name.find_first_not_of('/', end);
  }
  return true;
}

// Creates every group of the path itself, because HDF5 would store the time in it.
void Hdf5File::State::make_groups(const std::string& name, bool parents_only) const {
  const Handle properties = hdf5::without_times(H5P_GROUP_CREATE);
  for (std::size_t at = name.find_first_not_of('/'); at != name.npos;) {
    const std::size_t end = name.find('/', at);
    if (end == name.npos && parents_only) return;
    const std::string group = name.substr(0, end);
    if (!exists(group)) {
      require_room(0);
      checked(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, properties, H5P_DEFAULT), "create group", group);
    }
    at = end == name.npos ? end : name.find_first_not_of('/', end);
  }
}

Handle Hdf5File::State::create_dataset(const std::string& name, Id type,
                                       const std::vector<std::uint64_t>& extents) const {
  make_groups(name, true);
  require_room(hdf5::product(extents) * H5Tget_size(type));
  const std::vector<hsize_t> sizes(extents.begin(), extents.end());
  const Handle space = checked(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr),
                               "describe the shape of", name);
  const Handle properties = hdf5::without_times(H5P_DATASET_CREATE);
  if (H5Tis_variable_str(type) <= 0) {  // HDF5 requires a fill value for texts
    H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
  }
  return checked(H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT),
                 "create dataset", name);
}

std::vector<std::uint64_t> Hdf5File::State::shape_of(Id dataset, const std::string& name) const {
  const Handle space = checked(H5Dget_space(dataset), "read the shape of", name);
  std::vector<hsize_t> sizes(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(space))));
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  return {sizes.begin(), sizes.end()};
}

void Hdf5File::State::check_kind(Id type, Id wanted, const std::string& name) const {
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5Tget_class(wanted)) return;
  const char* found = kind == H5T_INTEGER  ? "integers"
                      : kind == H5T_FLOAT  ? "reals"
                      : kind == H5T_STRING ? "texts"
                                           : "values of a type that Convoy does not use";
  refuse_content(name, fmt::format("holds {}, expected {}", found,
                                   H5Tget_class(wanted) == H5T_FLOAT ? "reals" : "integers"));
}

void Hdf5File::State::check_extent(const std::string& name, Id dataset, std::uint64_t count) const {
  const Handle layout = checked(H5Dget_create_plist(dataset), "read the layout of", name);
  const Handle type = checked(H5Dget_type(dataset), "read the type of", name);
  std::uint64_t most = file_bytes();
  if (H5Pget_layout(layout) == H5D_CHUNKED) {
    most = std::min<std::uint64_t>(most, H5Dget_storage_size(dataset)) * largest_ratio;
  }
  if (count > most / std::max<std::size_t>(1, H5Tget_size(type)))
    refuse_content(
        name, fmt::format("claims {} values, more than the file's {} bytes can hold", count, file_bytes()));
}

std::uint64_t Hdf5File::State::file_bytes() const {
  hsize_t bytes = 0;
  if (H5Fget_filesize(file, &bytes) < 0) refuse("find the size of it");
  return bytes;
}

void Hdf5File::State::read_all(const std::string& name, Id type, void* values, std::uint64_t count) const {
  const Handle dataset = open_dataset(name);
  const Handle stored = checked(H5Dget_type(dataset), "read the type of", name);
  check_kind(stored, type, name);
  const auto found = shape_of(dataset, name);
  if (hdf5::product(found) != count)
    refuse_content(name, fmt::format("has shape {}, expected {} values", describe_shape(found), count));
  check_extent(name, dataset, count);
  if (count != 0 && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) refuse("read " + name);
}

void Hdf5File::State::read_rows(const std::string& name, std::uint64_t first, std::uint64_t rows,
                                std::uint64_t count, Id type, void* values) const {
  const Handle dataset = open_dataset(name);
  const Handle stored = checked(H5Dget_type(dataset), "read the type of", name);
  check_kind(stored, type, name);
  const auto extents = shape_of(dataset, name);
  std::vector<hsize_t> start(extents.size(), 0), size(extents.begin(), extents.end());
  if (extents.empty() || first > extents[0] || rows > extents[0] - first)
    refuse_content(name, fmt::format("has shape {}, which has no rows {} to {}", describe_shape(extents),
                                     first, first + rows));
  start[0] = first;
  size[0] = rows;
  if (hdf5::product({size.begin(), size.end()}) != count)
    refuse_content(name, fmt::format("has shape {}, but {} of its rows were requested as {} values",
                                     describe_shape(extents), rows, count));
  check_extent(name, dataset, hdf5::product({extents.begin(), extents.end()}));
  if (count == 0) return;
  const Handle selection = checked(H5Dget_space(dataset), "read the shape of", name);
  const Handle memory(H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr));
  H5Sselect_hyperslab(selection, H5S_SELECT_SET, start.data(), nullptr, size.data(), nullptr);
  if (H5Dread(dataset, type, memory, selection, H5P_DEFAULT, values) < 0) refuse("read " + name);
}

bool Hdf5File::State::is_heap_text(Id type, const std::string& name) const {
  if (H5Tget_class(type) != H5T_STRING) refuse_content(name, "holds something other than text");
  return H5Tis_variable_str(type) > 0;
}

Hdf5Texts& Hdf5File::State::heap() const {
  if (!heap_texts) {
    std::size_t address_bytes = 0, length_bytes = 0;
    hsize_t user_block = 0;
    const Handle creation = checked(H5Fget_create_plist(file), "read the properties of", "the file");
    if (H5Pget_sizes(creation, &address_bytes, &length_bytes) < 0 ||
        H5Pget_userblock(creation, &user_block) < 0 || address_bytes != 8 || length_bytes != 8 ||
        user_block != 0)
      refuse_content(
          "/",
          "its texts are in a form that Convoy does not read (a user block, or addresses of other sizes)");
    heap_texts.emplace(path);
  }
  return *heap_texts;
}

std::vector<std::string> Hdf5File::State::heap_texts_of(Id dataset, std::uint64_t count,
                                                        const std::string& name) const {
  if (count == 0) return {};
  const Handle layout = checked(H5Dget_create_plist(dataset), "read the layout of", name);
  const haddr_t offset = H5Dget_offset(dataset);
  if (H5Pget_layout(layout) != H5D_CONTIGUOUS || offset == HADDR_UNDEF)
    refuse_content(name,
                   fmt::format("its texts are not stored contiguously: h5repack -l {}:CONTI OLD NEW", name));
  try {
    return heap().at(offset, count);
  } catch (const Error& error) {
    fail(error.category(), "{}: {}: {}", path.string(), name, error.what());
  }
}

std::uint64_t Hdf5File::State::header_of(const std::string& object) const {
#if H5_VERSION_GE(1, 12, 0)
  H5O_info1_t info{};
  const herr_t result = H5Oget_info_by_name1(file, object.c_str(), &info, H5P_DEFAULT);
#else
  H5O_info_t info{};
  const herr_t result = H5Oget_info_by_name(file, object.c_str(), &info, H5P_DEFAULT);
#endif
  if (result < 0) refuse("look up " + object);
  return info.addr;
}

std::string Hdf5File::State::heap_text_of(const std::string& object, const std::string& name) const {
  const std::uint64_t header = header_of(object);
  try {
    return heap().of_attribute(header, name);
  } catch (const Error& error) {
    fail(error.category(), "{}: {}: attribute '{}': {}", path.string(), object, name, error.what());
  }
}

void Hdf5File::State::check_object(const std::string& object) const {
  if (writing()) return;
  const std::uint64_t header = header_of(object);
  try {
    heap().check_object(header);
  } catch (const Error& error) {
    fail(error.category(), "{}: {}: {}", path.string(), object, error.what());
  }
}

std::vector<std::string> Hdf5File::State::read_fixed_texts(Id type, std::uint64_t count,
                                                           const std::string& name,
                                                           const std::function<int(Id, void*)>& read) const {
  const std::size_t length = H5Tget_size(type);
  if (count != 0 && length > file_bytes() * largest_ratio / count)
    refuse_content(name, fmt::format("claims texts of {} bytes, more than the file can hold", length));
  const Handle memory(H5Tcopy(type));
  std::vector<char> characters(count * length);
  if (count != 0 && read(memory, characters.data()) < 0) refuse("read " + name);
  std::vector<std::string> texts;
  texts.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string text(characters.data() + i * length, length);
    const char padding = H5Tget_strpad(type) == H5T_STR_SPACEPAD ? ' ' : '\0';
    if (padding == '\0') text.resize(std::min(text.find('\0'), length));
    while (!text.empty() && text.back() == padding) text.pop_back();
    texts.push_back(std::move(text));
  }
  return texts;
}

void Hdf5File::State::put_attribute(const std::string& object, const std::string& name, Id stored, Id memory,
                                    const void* value) const {
  const Handle owner = open_object(object);
  if (H5Aexists(owner, name.c_str()) > 0 && H5Adelete(owner, name.c_str()) < 0)
    refuse("replace attribute " + name);
  require_room(0);
  const Handle space(H5Screate(H5S_SCALAR));
  const Handle attribute = checked(H5Acreate2(owner, name.c_str(), stored, space, H5P_DEFAULT, H5P_DEFAULT),
                                   "create attribute", name);
  if (H5Awrite(attribute, memory, value) < 0) refuse("write attribute " + name);
}

void Hdf5File::State::get_attribute(const std::string& object, const std::string& name, Id memory,
                                    bool whole_only, void* value) const {
  const Handle attribute = open_attribute(object, name);
  const Handle type = checked(H5Aget_type(attribute), "read the type of attribute", name);
  const Handle space = checked(H5Aget_space(attribute), "read the shape of attribute", name);
  const H5T_class_t kind = H5Tget_class(type);
  if (H5Sget_simple_extent_npoints(space) != 1 || (kind != H5T_INTEGER && (whole_only || kind != H5T_FLOAT)))
    refuse_content(object,
                   fmt::format("attribute '{}' is not {}", name, whole_only ? "an integer" : "a number"));
  if (H5Aread(attribute, memory, value) < 0) refuse("read attribute " + name);
}

}  // namespace convoy
