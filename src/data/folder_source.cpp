#include "base/error.hpp"
#include "data/source_kinds.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// A deeper nesting of folders than this is a symbolic link to a parent folder.
constexpr int deepest_folder = 32;

bool hidden(const fs::path& path) {
  return path.filename().native().starts_with('.');
}

}  // namespace

SourceIndex index_folder(const fs::path& folder) {
  SourceIndex index;
  index.kind = "image folder";
  index.root = folder;
  std::vector<std::string> class_of_item;
  std::error_code error;
  auto entry =
      fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink, error);
  for (; !error && entry != fs::end(entry); entry.increment(error)) {
    // A broken link counts as a file: reading it will report it by name.
    std::error_code unreachable;
    if (entry->is_directory(unreachable)) {
      if (hidden(entry->path())) entry.disable_recursion_pending();
      if (entry.depth() > deepest_folder)
        fail(ExitCode::usage, "{} is {} folders deep: does a link point to a parent folder?",
             entry->path().string(), deepest_folder);
      continue;
    }
    if (!named_like_image(entry->path().native())) {
      ++index.ignored;
      continue;
    }
    SourceItem item;
    item.name = entry->path().lexically_relative(folder).generic_string();
    const auto slash = item.name.find('/');
    class_of_item.push_back(slash == std::string::npos ? "" : item.name.substr(0, slash));
    index.items.push_back(std::move(item));
  }
  if (error) fail(ExitCode::io, "cannot list {}: {}", folder.string(), error.message());
  assign_classes(index, class_of_item);
  return index;
}

}  // namespace convoy
