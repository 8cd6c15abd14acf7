#include <gtest/gtest.h>
#include <png.h>

#include "base/error.hpp"
#include "picture/picture.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

Picture decoded(const std::string& bytes) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()), 0) << image.message;
  image.format = PNG_FORMAT_RGB;
  Picture picture(static_cast<int>(image.width), static_cast<int>(image.height));
  EXPECT_NE(png_image_finish_read(&image, nullptr, picture.pixels.data(), 0, nullptr), 0) << image.message;
  return picture;
}

TEST(Picture, ItsPngHoldsEveryPixel) {
  Picture picture(5, 3, {.red = 10, .green = 20, .blue = 30});
  picture.at(4, 2)[0] = 255;
  picture.at(0, 1)[2] = 7;
  const Picture read = decoded(png_bytes(picture));
  EXPECT_EQ(read.width, 5);
  EXPECT_EQ(read.height, 3);
  EXPECT_EQ(read.pixels, picture.pixels);
  EXPECT_EQ(read.at(4, 2)[0], 255);
  EXPECT_EQ(read.at(1, 1)[2], 30);
}

TEST(Picture, AnEmptyOneIsABug) {
  test::expect_error(ExitCode::bug, {"width × height"}, [] { png_bytes(Picture{}); });
}

TEST(Picture, AFileThatCannotBeWrittenIsNamed) {
  const test::TemporaryFolder folder;
  test::expect_error(ExitCode::io, {"missing"},
                     [&] { write_png(folder.path() / "missing" / "a.png", Picture(1, 1)); });
}

}  // namespace
}  // namespace convoy
