#include "picture/picture.hpp"

#include <png.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"

namespace convoy {
namespace {

std::size_t offset_of(const Picture& picture, int x, int y) {
  return (static_cast<std::size_t>(y) * static_cast<std::size_t>(picture.width) +
          static_cast<std::size_t>(x)) *
         3;
}

}  // namespace

Picture::Picture(int wide, int high, Colour background)
    : width(wide), height(high), pixels(static_cast<std::size_t>(wide) * static_cast<std::size_t>(high) * 3) {
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    pixels[i] = background.red;
    pixels[i + 1] = background.green;
    pixels[i + 2] = background.blue;
  }
}

std::uint8_t* Picture::at(int x, int y) {
  return pixels.data() + offset_of(*this, x, y);
}

const std::uint8_t* Picture::at(int x, int y) const {
  return pixels.data() + offset_of(*this, x, y);
}

std::string png_bytes(const Picture& picture) {
  ensure(picture.width > 0 && picture.height > 0 &&
             picture.pixels.size() == offset_of(picture, 0, picture.height),
         "a picture has width × height × 3 bytes");
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = PNG_FORMAT_RGB;
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = bytes.size();
  const int written =
      png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr);
  ensure(written != 0, "libpng encodes a picture in memory");
  bytes.resize(size);
  return bytes;
}

void write_png(const std::filesystem::path& path, const Picture& picture) {
  write_file_atomically(path, png_bytes(picture));
}

}  // namespace convoy
