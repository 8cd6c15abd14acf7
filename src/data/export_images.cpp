#include "data/export_images.hpp"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <vector>

#include "base/error.hpp"
#include "data/hdf5_file.hpp"

namespace convoy {

void write_png(const std::filesystem::path& path, int side, std::span<const std::uint8_t> pixels) {
  ensure(pixels.size() == static_cast<std::size_t>(side) * side * 3, "write_png: side × side × 3 bytes");
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(side);
  image.height = static_cast<png_uint_32>(side);
  image.format = PNG_FORMAT_RGB;
  if (png_image_write_to_file(&image, path.c_str(), 0, pixels.data(), 0, nullptr) == 0)
    fail(ExitCode::io, "cannot write {}: {}", path.string(), image.message);
}

std::int64_t export_images(const Store& store, std::string_view split, std::int64_t count,
                           const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(ExitCode::io, "cannot create the folder {}: {}", folder.string(), error.message());
  const std::size_t image_bytes = static_cast<std::size_t>(store.image_size) * store.image_size * 3;
  std::vector<std::uint8_t> pixels(image_bytes);
  std::int64_t written = 0;
  for (const ShardEntry& shard : store.split(split).shards) {
    if (written == count) break;
    const Hdf5File file(store.folder / shard.file, Hdf5File::Access::read);
    const auto labels = file.read<std::int32_t>("/labels");
    for (std::int64_t i = 0; i < shard.images && written < count; ++i, ++written) {
      file.read_rows<std::uint8_t>("/images", static_cast<std::uint64_t>(i), 1, pixels);
      const std::int32_t label = labels.at(static_cast<std::size_t>(i));
      if (label < 0 || label >= static_cast<std::int32_t>(store.classes.size()))
        fail(ExitCode::bad_data, "{}: image {} has the label {}, which is not a class of the store",
             (store.folder / shard.file).string(), i, label);
      write_png(folder / fmt::format("{}-{:04}.png", store.classes[label].id, written), store.image_size,
                pixels);
    }
  }
  return written;
}

}  // namespace convoy
