#include "data/shard_reader.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <mutex>
#include <optional>
#include <utility>

#include "base/crc32c.hpp"
#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "data/hdf5_file.hpp"

namespace convoy {

namespace {

namespace fs = std::filesystem;

// An open shard: a descriptor for pread, or HDF5's own handle if the images are chunked or compressed.
class OpenShard {
 public:
  OpenShard(const fs::path& path, const ShardEntry& entry, bool copy);

  bool is_copy() const { return copy_; }

  // Images [first, first + count) of `image_bytes` bytes each.
  void read(std::int64_t first, std::int64_t count, std::size_t image_bytes,
            std::span<std::uint8_t> images) const;

 private:
  fs::path path_;
  bool copy_;  // on this node's own disk
  std::uint64_t offset_;
  FileDescriptor file_;
  std::optional<Hdf5File> hdf5_;
};

// A store may come from an untrusted source: it must not make Convoy read other files.
void refuse_link_outwards(const fs::path& path, const fs::path& folder) {
  std::error_code error;
  if (!fs::is_symlink(path, error)) return;
  const fs::path target = fs::weakly_canonical(path, error), inside = fs::weakly_canonical(folder, error);
  const auto differ = std::mismatch(inside.begin(), inside.end(), target.begin(), target.end());
  if (differ.first != inside.end())
    fail(ExitCode::bad_data,
         "{}, a shard listed in store.json, is a symbolic link to {}, outside the store's folder: put the "
         "file itself there",
         path.string(), target.string());
}

OpenShard::OpenShard(const fs::path& path, const ShardEntry& entry, bool copy)
    : path_(path), copy_(copy), offset_(entry.images_offset) {
  FileDescriptor file = try_open(path, O_RDONLY);
  if (!file.is_open()) {
    const int error = errno;
    fail(ExitCode::io, "cannot open {}, a shard listed in store.json: {}{}", path.string(),
         system_error_text(error), error == ENOENT ? ". Copy the file again or pack the store again" : "");
  }
  if (const std::uint64_t bytes = file.size(); bytes != entry.bytes) {
    fail(ExitCode::bad_data, "{} has {} bytes, store.json says {}: it was truncated or replaced{}",
         path.string(), bytes, entry.bytes,
         copy ? "" : ". `convoy verify` lists all errors; copy the file again or pack the store again");
  }
  if (offset_ != 0)
    file_ = std::move(file);
  else
    hdf5_.emplace(path, Hdf5File::Access::read);
}

void OpenShard::read(std::int64_t first, std::int64_t count, std::size_t image_bytes,
                     std::span<std::uint8_t> images) const {
  if (hdf5_) {
    hdf5_->read_rows<std::uint8_t>("/images", static_cast<std::uint64_t>(first),
                                   static_cast<std::uint64_t>(count), images);
    return;
  }
  const std::uint64_t at = offset_ + static_cast<std::uint64_t>(first) * image_bytes;
  const std::size_t got = file_.read_at(at, std::as_writable_bytes(images));
  if (got < images.size())
    fail(ExitCode::bad_data,
         "{} ends at byte {}: it was truncated. Copy the file again or pack the store again", path_.string(),
         at + got);
}

}  // namespace

struct ShardReader::State {
  fs::path folder;
  std::string split;
  std::int64_t image_size = 0;
  std::int64_t class_count = 0;
  std::uint32_t classes_crc32c = 0;
  std::vector<ShardEntry> shards;
  std::vector<std::int64_t> first;  // first sample id of each shard, then the number of images
  std::size_t most_open = 0;
  ShardCopies* copies = nullptr;

  // Per shard: its tables remain after its check, its descriptor as long as it is among the most recently
  // used. `mutex` is held while the shard is opened, so that other users of this shard wait.
  struct CachedShard {
    std::mutex mutex;
    // Guarded by State::recent_mutex; `recency` is this shard's entry in State::recent while `open` is set.
    std::unique_ptr<const ShardTables> tables;
    std::shared_ptr<const OpenShard> open;
    std::list<std::size_t>::iterator recency;
  };
  struct Ready {
    std::shared_ptr<const OpenShard> file;
    const ShardTables* tables = nullptr;
  };
  std::unique_ptr<CachedShard[]> cache;
  std::mutex recent_mutex;
  std::list<std::size_t> recent;  // open shards, the most recently used first

  fs::path path(std::size_t shard) const { return folder / shards[shard].file; }
  bool has_copy(std::size_t shard) const { return copies != nullptr && copies->has(shard); }
  std::size_t image_bytes() const { return static_cast<std::size_t>(3 * image_size * image_size); }
  std::size_t shard_of(std::uint32_t id) const {
    return static_cast<std::size_t>(std::upper_bound(first.begin(), first.end(), std::int64_t{id}) -
                                    first.begin() - 1);
  }

  // A shard as it was just opened: with its tables if they were not known yet.
  struct Opened {
    std::shared_ptr<const OpenShard> file;
    std::unique_ptr<const ShardTables> tables;
  };
  Ready already_open(std::size_t shard);
  Ready open(std::size_t shard);
  Opened open_best(std::size_t shard) const;
  Opened open_at(const fs::path& file, std::size_t shard, bool copy) const;
  std::unique_ptr<const ShardTables> check(std::size_t shard, const fs::path& path) const;
  void check_attributes(std::size_t shard, const Hdf5File& file) const;
  void check_layout(std::size_t shard, const Hdf5File& file) const;
  std::string name_of(std::size_t shard, std::int64_t index) const;
  const ShardTables& read_sound(std::size_t shard, std::int64_t first_index, std::int64_t count,
                                std::span<std::uint8_t> images);
  std::vector<DamagedImage> compare(const ShardTables& tables, std::int64_t first_index, std::int64_t count,
                                    std::span<const std::uint8_t> images) const;
};

ShardReader::State::Ready ShardReader::State::already_open(std::size_t shard) {
  const std::scoped_lock lock(recent_mutex);
  CachedShard& cached = cache[shard];
  // A copy has come, or was rejected, since the shard was opened.
  if (!cached.open || cached.open->is_copy() != has_copy(shard)) return {};
  recent.splice(recent.begin(), recent, cached.recency);
  return {cached.open, cached.tables.get()};
}

// The shard, ready for reading; checked in full the first time. A reader keeps its shard alive even if it is
// evicted meanwhile.
ShardReader::State::Ready ShardReader::State::open(std::size_t shard) {
  if (Ready ready = already_open(shard); ready.file) return ready;
  CachedShard& cached = cache[shard];
  const std::scoped_lock opening(cached.mutex);
  if (Ready ready = already_open(shard); ready.file) return ready;
  Opened opened = open_best(shard);
  const std::scoped_lock lock(recent_mutex);
  if (cached.open) recent.erase(cached.recency);
  cached.open.reset();
  while (recent.size() >= most_open) {
    cache[recent.back()].open.reset();
    recent.pop_back();
  }
  if (opened.tables) cached.tables = std::move(opened.tables);
  cached.recency = recent.insert(recent.begin(), shard);
  cached.open = std::move(opened.file);
  return {cached.open, cached.tables.get()};
}

// The copy, or the store's shard if there is none that can be used.
ShardReader::State::Opened ShardReader::State::open_best(std::size_t shard) const {
  if (has_copy(shard)) {
    try {
      return open_at(copies->path(shard), shard, true);
    } catch (const Error& error) {
      copies->reject(shard, error.what());
    }
  }
  refuse_link_outwards(path(shard), folder);
  return open_at(path(shard), shard, false);
}

// No other thread changes this shard's tables meanwhile.
ShardReader::State::Opened ShardReader::State::open_at(const fs::path& file, std::size_t shard,
                                                       bool copy) const {
  auto opened = std::make_shared<const OpenShard>(file, shards[shard], copy);
  return {std::move(opened), cache[shard].tables ? nullptr : check(shard, file)};
}

void ShardReader::State::check_attributes(std::size_t shard, const Hdf5File& file) const {
  const auto refuse = [&](const std::string& problem) {
    fail(ExitCode::bad_data,
         "{}: {}. It does not belong to this store: pack the store again or copy the shard again",
         file.path().string(), problem);
  };
  if (!file.has_attribute("/", "format") || file.text_attribute("/", "format") != "convoy-store")
    refuse("is not a Convoy shard (its attribute 'format' is not \"convoy-store\")");
  if (const auto version = file.integer_attribute("/", "version"); version != 1)
    refuse(fmt::format("has version {}, but this Convoy reads version 1", version));
  if (const auto found = file.text_attribute("/", "split"); found != split)
    refuse(fmt::format("belongs to the split '{}', not '{}'", found, split));
  if (const auto found = file.integer_attribute("/", "shard"); found != static_cast<std::int64_t>(shard))
    refuse(fmt::format("has shard number {}, but number {} in store.json", found, shard));
  if (const auto found = file.integer_attribute("/", "shards");
      found != static_cast<std::int64_t>(shards.size()))
    refuse(fmt::format("is one of {} shards, but store.json has {}", found, shards.size()));
  if (const auto found = file.integer_attribute("/", "classes_crc32c"); found != classes_crc32c)
    refuse(fmt::format("was packed with other classes (checksum {:08x}, store.json's classes have {:08x})",
                       found, classes_crc32c));
}

void ShardReader::State::check_layout(std::size_t shard, const Hdf5File& file) const {
  const ShardEntry& entry = shards[shard];
  const auto refuse = [&](const std::string& problem) {
    fail(ExitCode::bad_data, "{}: {}", file.path().string(), problem);
  };
  const auto count = static_cast<std::uint64_t>(entry.images);
  const auto side = static_cast<std::uint64_t>(image_size);
  if (file.shape("/images") != std::vector<std::uint64_t>{count, side, side, 3})
    refuse(fmt::format("/images is not {} × {} × {} × 3 as store.json says", count, side, side));
  for (const char* dataset : {"/labels", "/crc32c", "/names"})
    if (file.shape(dataset) != std::vector<std::uint64_t>{count})
      refuse(fmt::format("{} does not hold {} values as store.json says", dataset, count));
  if (entry.images_offset == 0) return;
  if (const auto offset = file.contiguous_offset<std::uint8_t>("/images"); offset != entry.images_offset)
    refuse(fmt::format("/images is at byte {}, but store.json says {}", offset, entry.images_offset));
}

std::unique_ptr<const ShardTables> ShardReader::State::check(std::size_t shard, const fs::path& path) const {
  const Hdf5File file(path, Hdf5File::Access::read);
  check_attributes(shard, file);
  check_layout(shard, file);
  auto tables = std::make_unique<ShardTables>();
  tables->labels = file.read<std::int32_t>("/labels");
  tables->crc32c = file.read<std::uint32_t>("/crc32c");
  for (std::size_t i = 0; i < tables->labels.size(); ++i) {
    if (tables->labels[i] < 0 || tables->labels[i] >= class_count)
      fail(ExitCode::bad_data, "{}: image {} has label {}, but the store has classes 0 to {}",
           file.path().string(), i, tables->labels[i], class_count - 1);
  }
  return tables;
}

std::vector<DamagedImage> ShardReader::State::compare(const ShardTables& tables, std::int64_t first_index,
                                                      std::int64_t count,
                                                      std::span<const std::uint8_t> images) const {
  std::vector<DamagedImage> damaged;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i) * image_bytes();
    const std::uint32_t found = crc32c(std::as_bytes(images.subspan(at, image_bytes())));
    const std::uint32_t expected = tables.crc32c[static_cast<std::size_t>(first_index + i)];
    if (found != expected) damaged.push_back({first_index + i, expected, found});
  }
  return damaged;
}

// Reads images and throws at the first that is damaged. Those of a copy that proves unusable are read again
// from the store. Returns the shard's tables.
const ShardTables& ShardReader::State::read_sound(std::size_t shard, std::int64_t first_index,
                                                  std::int64_t count, std::span<std::uint8_t> images) {
  for (;;) {
    const Ready ready = open(shard);
    std::vector<DamagedImage> damaged;
    try {
      ready.file->read(first_index, count, image_bytes(), images);
      damaged = compare(*ready.tables, first_index, count, images);
    } catch (const Error& error) {
      if (!ready.file->is_copy()) throw;
      copies->reject(shard, error.what());
      continue;
    }
    if (damaged.empty()) return *ready.tables;
    const DamagedImage& image = damaged.front();
    const std::string problem =
        fmt::format("image {} ('{}') is damaged: its checksum is {:08x}, expected {:08x}", image.index,
                    name_of(shard, image.index), image.found, image.expected);
    if (!ready.file->is_copy())
      fail(ExitCode::bad_data,
           "{}: {}. `convoy verify {}` lists every damaged image; copy the shard again or pack the store "
           "again",
           path(shard).string(), problem, folder.string());
    copies->reject(shard, fmt::format("{}: {}", copies->path(shard).string(), problem));
  }
}

// For an error message: an unreadable name is not a second error.
std::string ShardReader::State::name_of(std::size_t shard, std::int64_t index) const {
  try {
    const Hdf5File file(path(shard), Hdf5File::Access::read);
    return file.read_strings("/names").at(static_cast<std::size_t>(index));
  } catch (const std::exception&) {
    return "?";
  }
}

int shards_kept_open() {
  constexpr rlim_t enough = 256;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return static_cast<int>(enough);
  return static_cast<int>(std::clamp<rlim_t>(limit.rlim_cur / 4, 1, enough));
}

ShardReader::ShardReader(const Store& store, const std::string& split, int most_open, ShardCopies* copies)
    : state_(std::make_unique<State>()) {
  const SplitEntry& entry = store.split(split);
  state_->folder = store.folder;
  state_->split = split;
  state_->image_size = store.image_size;
  state_->class_count = static_cast<std::int64_t>(store.classes.size());
  state_->classes_crc32c = classes_checksum(store.classes);
  state_->shards = entry.shards;
  state_->most_open = static_cast<std::size_t>(std::max(1, most_open));
  state_->copies = copies;
  state_->cache = std::make_unique<State::CachedShard[]>(entry.shards.size());
  state_->first.push_back(0);
  for (const ShardEntry& shard : entry.shards) state_->first.push_back(state_->first.back() + shard.images);
}

ShardReader::~ShardReader() = default;

std::int64_t ShardReader::images() const {
  return state_->first.back();
}

const std::vector<ShardEntry>& ShardReader::shards() const {
  return state_->shards;
}

const ShardTables& ShardReader::tables(std::size_t index) const {
  return *state_->open(index).tables;
}

std::vector<DamagedImage> ShardReader::read_checked(std::size_t shard, std::int64_t first, std::int64_t count,
                                                    std::span<std::uint8_t> images) const {
  const State::Ready ready = state_->open(shard);
  const auto bytes = images.first(static_cast<std::size_t>(count) * state_->image_bytes());
  ready.file->read(first, count, state_->image_bytes(), bytes);
  return state_->compare(*ready.tables, first, count, bytes);
}

std::vector<std::string> ShardReader::names(std::size_t shard) const {
  return Hdf5File(state_->path(shard), Hdf5File::Access::read).read_strings("/names");
}

void ShardReader::read(std::span<const std::uint32_t> ids, std::span<std::uint8_t> images,
                       std::span<std::int32_t> labels) const {
  for (std::size_t at = 0; at < ids.size();) {
    ensure(std::int64_t{ids[at]} < this->images(), "a sample id is outside its split");
    const std::size_t shard = state_->shard_of(ids[at]);
    const std::int64_t left = state_->first[shard + 1] - ids[at];
    std::size_t count = 1;  // of a run of neighbours
    while (at + count < ids.size() && std::cmp_less(count, left) && ids[at + count] == ids[at] + count)
      ++count;

    const std::int64_t index = ids[at] - state_->first[shard];
    const ShardTables& known =
        state_->read_sound(shard, index, static_cast<std::int64_t>(count),
                           images.subspan(at * state_->image_bytes(), count * state_->image_bytes()));
    std::copy_n(known.labels.begin() + index, count, labels.begin() + static_cast<std::ptrdiff_t>(at));
    at += count;
  }
}

}  // namespace convoy
