#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "sources/source_kinds.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// Hidden, or the folder of macOS's additions to an archive.
bool hidden(const fs::path& path) {
  return path.filename().native().starts_with('.') || path.filename() == "__MACOSX";
}

// The type of a directory entry, of what it leads to if it is a link: asks the file system only about links.
fs::file_type type_of(const fs::directory_entry& entry, std::error_code& error) {
  error.clear();
  if (entry.is_symlink(error)) return fs::status(entry.path(), error).type();
  if (entry.is_directory(error)) return fs::file_type::directory;
  if (entry.is_regular_file(error)) return fs::file_type::regular;
  return fs::status(entry.path(), error).type();
}

// Why an entry that is neither a file nor a folder cannot be read, as a phrase after its name.
std::string flaw_of(const fs::directory_entry& entry, fs::file_type type, const std::error_code& error) {
  std::error_code unreadable;
  if (entry.is_symlink(unreadable) && (type == fs::file_type::not_found || type == fs::file_type::none)) {
    const fs::path target = fs::read_symlink(entry.path(), unreadable);
    return fmt::format("is a symbolic link to {}: {}", target.string(), error.message());
  }
  return fmt::format("is {}, not a file", file_type_text(type));
}

// Lists a folder and those below it.
class FolderLister {
 public:
  void list(const fs::path& folder, const std::string& prefix) {
    enter(folder);
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::end(entry); entry.increment(error)) add(*entry, prefix);
    if (error) fail(ExitCode::io, "cannot list {}: {}", folder.string(), error.message());
    above_.pop_back();
  }

  std::vector<SourceItem> items;
  std::set<std::string> folders;
  std::int64_t ignored = 0;

 private:
  // A link to a folder above it would be followed without end.
  void enter(const fs::path& folder) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0)
      fail(ExitCode::io, "cannot list {}: {}", folder.string(), system_error_text(errno));
    const std::pair identity(status.st_dev, status.st_ino);
    if (std::ranges::find(above_, identity) != above_.end())
      fail(ExitCode::usage, "{} is a link that leads back to a folder above it", folder.string());
    above_.push_back(identity);
  }

  void add(const fs::directory_entry& entry, const std::string& prefix) {
    const std::string name = prefix + entry.path().filename().string();
    std::error_code error;
    const fs::file_type type = type_of(entry, error);
    if (type == fs::file_type::directory) {
      if (hidden(entry.path())) return;
      folders.insert(name);
      list(entry.path(), name + "/");
      return;
    }
    const bool regular = type == fs::file_type::regular;
    if (!regular && !hidden(entry.path())) require_harmless(entry, type, error);
    if (!named_like_image(name)) {
      ++ignored;
      return;
    }
    SourceItem item;
    item.name = name;
    if (!regular) item.flaw = flaw_of(entry, type, error);
    items.push_back(std::move(item));
  }

  // An entry that cannot be examined may be an image; a link to nothing that is not named like a file may be
  // a class.
  static void require_harmless(const fs::directory_entry& entry, fs::file_type type,
                               const std::error_code& error) {
    std::error_code ignored_error;
    const bool link = entry.is_symlink(ignored_error);
    const bool leads_nowhere =
        type == fs::file_type::not_found || error == std::errc::too_many_symbolic_link_levels;
    if (type == fs::file_type::none && !(link && leads_nowhere))
      fail(ExitCode::io, "cannot examine {}: {}", entry.path().string(), error.message());
    if (link && leads_nowhere && !entry.path().has_extension()) {
      fail(ExitCode::bad_data, "{} {}. It may be meant as a folder: repair or remove it",
           entry.path().string(), flaw_of(entry, type, error));
    }
  }

  std::vector<std::pair<dev_t, ino_t>> above_;
};

}  // namespace

SourceIndex index_folder(const SourceRequest& request) {
  FolderLister lister;
  lister.list(request.path, "");
  SourceIndex index;
  index.kind = "image folder";
  index.root = request.path;
  index.items = std::move(lister.items);
  index.ignored = lister.ignored;
  find_classes(index, lister.folders, request);
  return index;
}

}  // namespace convoy
