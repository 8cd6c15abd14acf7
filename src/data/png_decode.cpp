#include "data/png_decode.hpp"

#include <png.h>

#include <memory>

#include "base/error.hpp"

namespace convoy {

RgbImage decode_png(std::span<const std::byte> bytes) {
  png_image info{};
  info.version = PNG_IMAGE_VERSION;
  // Frees what libpng allocated, whatever happens below.
  const std::unique_ptr<png_image, void (*)(png_image*)> owner(&info, png_image_free);
  if (png_image_begin_read_from_memory(&info, bytes.data(), bytes.size()) == 0)
    fail(ExitCode::bad_data, "unreadable PNG: {}", info.message);
  if (std::int64_t{info.width} * info.height > most_pixels) {
    fail(ExitCode::bad_data, "{} x {} pixels exceed the limit of {} million", info.width, info.height,
         most_pixels / 1'000'000);
  }
  // 16-bit files without a gamma chunk are treated as sRGB, as all other files, not as linear light.
  info.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  info.format = PNG_FORMAT_RGB;
  RgbImage image;
  image.width = static_cast<int>(info.width);
  image.height = static_cast<int>(info.height);
  image.pixels.resize(PNG_IMAGE_SIZE(info));
  const png_color white{255, 255, 255};
  if (png_image_finish_read(&info, &white, image.pixels.data(), 0, nullptr) == 0)
    fail(ExitCode::bad_data, "damaged PNG: {}", info.message);
  return image;
}

}  // namespace convoy
