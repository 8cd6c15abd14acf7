#include "data/stage/stage_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/error.hpp"
#include "data/metadata_checksum.hpp"
#include "data/stage/stage_plan.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

void check_parent(const fs::path& parent, const Store& store) {
  std::error_code error;
  const fs::file_status status = fs::status(parent, error);
  if (!fs::exists(status))
    fail(ExitCode::usage,
         "--stage {}: {}; name a folder that is on each node's own disk (such as Slurm's $SLURM_TMPDIR or "
         "/tmp), "
         "or create it",
         parent.string(), error ? error.message() : "no such folder");
  if (!fs::is_directory(status))
    fail(ExitCode::usage, "--stage {}: this is a file, but a folder is needed", parent.string());
  if (fs::equivalent(parent, store.folder, error))
    fail(ExitCode::usage, "--stage {}: this is the store itself; name a folder on each node's own disk",
         parent.string());
}

// It becomes the name of a folder: a store may come from an untrusted source.
void check_fingerprint(const Store& store) {
  const std::string& text = store.fingerprint;
  const bool proper = text.size() == 32 && text.find_first_not_of("0123456789abcdef") == text.npos;
  if (!proper)
    fail(ExitCode::bad_data, "{}: fingerprint: is \"{}\", expected 32 hexadecimal digits",
         (store.folder / "store.json").string(), text);
}

// Bytes on the disk of a file that may be unfinished; 0 if there is none.
std::uint64_t allocated(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

}  // namespace

StageFolder::StageFolder(const fs::path& parent, const Store& store) : store_(store) {
  check_parent(parent, store);
  check_fingerprint(store);
  path_ = parent / ("convoy-store-" + store.fingerprint);
  std::error_code error;
  fs::create_directory(path_, error);  // none if it is there
  if (error)
    fail(ExitCode::io, "--stage {}: cannot create {}: {}", parent.string(), path_.string(), error.message());
}

bool StageFolder::looks_complete(const ShardEntry& shard) const {
  std::error_code error;
  const fs::path copy = path_ / shard.file;
  return fs::is_regular_file(copy, error) && fs::file_size(copy, error) == shard.bytes && !error;
}

bool StageFolder::holds(const ShardEntry& shard) const {
  return looks_complete(shard) &&
         metadata_checksum_of(path_ / shard.file) == metadata_checksum_of(store_.folder / shard.file);
}

void StageFolder::check_space(std::span<const ShardEntry* const> shards) const {
  StageSpace space;
  bool missing = false;
  for (const ShardEntry* shard : shards) {
    const bool complete = looks_complete(*shard);
    missing = missing || !complete;
    space.wanted += shard->bytes;
    space.present += complete
                         ? shard->bytes
                         : std::min(shard->bytes, allocated((path_ / shard->file).string() + ".partial"));
  }
  if (!missing) return;
  std::error_code error;
  const fs::space_info disk = fs::space(path_, error);
  if (error)
    fail(ExitCode::io, "--stage: cannot read the free space of {}: {}", path_.string(), error.message());
  space.free = disk.available;
  if (::faccessat(AT_FDCWD, path_.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    fail(ExitCode::io,
         "--stage: {} does not hold all the shards that this node reads and cannot be written: {}; choose "
         "another "
         "folder, or leave --stage out",
         path_.string(), system_error_text(errno));
  if (const std::string refusal = space_refusal(space, path_); !refusal.empty())
    fail(ExitCode::io, "--stage: {}", refusal);
}

bool StageFolder::is_beside_store() const {
  struct stat copies {
  }, store{};
  return ::stat(path_.c_str(), &copies) == 0 && ::stat(store_.folder.c_str(), &store) == 0 &&
         copies.st_dev == store.st_dev;
}

}  // namespace convoy
