#include "data/export_images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <system_error>

#include "base/error.hpp"
#include "data/hdf5_file.hpp"
#include "picture/picture.hpp"

namespace convoy {

namespace {

// An image's file name. A class's id may hold anything, also a path.
std::string file_name_of(const ClassEntry& entry, std::int64_t index) {
  std::string id = entry.id;
  std::replace_if(
      id.begin(), id.end(), [](char c) { return c == '/' || c == '\0'; }, '_');
  return fmt::format("{}-{:04}.png", id, index);
}

}  // namespace

std::int64_t export_images(const Store& store, std::string_view split, std::int64_t count,
                           const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(ExitCode::io, "cannot create the folder {}: {}", folder.string(), error.message());
  Picture picture(store.image_size, store.image_size);
  std::int64_t written = 0;
  for (const ShardEntry& shard : store.split(split).shards) {
    if (written == count) break;
    const Hdf5File file(store.folder / shard.file, Hdf5File::Access::read);
    const auto labels = file.read<std::int32_t>("/labels");
    for (std::int64_t i = 0; i < shard.images && written < count; ++i, ++written) {
      file.read_rows<std::uint8_t>("/images", static_cast<std::uint64_t>(i), 1, picture.pixels);
      const std::int32_t label = labels.at(static_cast<std::size_t>(i));
      if (label < 0 || label >= static_cast<std::int32_t>(store.classes.size()))
        fail(ExitCode::bad_data, "{}: image {} has the label {}, which is not a class of the store",
             (store.folder / shard.file).string(), i, label);
      write_png(folder / file_name_of(store.classes[label], written), picture);
    }
  }
  return written;
}

}  // namespace convoy
