#include "data/png_decode.hpp"

#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "data/exif_orientation.hpp"

namespace convoy {

namespace {

// libpng's state. libpng's simplified interface would blend transparent pixels with a background and correct
// gamma, so the full one is used. It reports an error by a call that must not return, here a longjmp: each
// function that calls it sets its own jump target and contains no object with a destructor.
struct PngState {
  png_structp png;
  png_infop info;
  std::span<const std::byte> rest;  // bytes that were not read yet
  std::jmp_buf target;
  char message[200];
};

[[noreturn]] void on_error(png_structp png, const char* text) {
  PngState& state = *static_cast<PngState*>(png_get_error_ptr(png));
  std::snprintf(state.message, sizeof(state.message), "%s", text);
  std::longjmp(state.target, 1);
}

// Warnings are about chunks that do not concern the pixels.
void on_warning(png_structp, const char*) {}

void on_read(png_structp png, png_bytep target, std::size_t count) {
  PngState& state = *static_cast<PngState*>(png_get_io_ptr(png));
  if (count > state.rest.size()) png_error(png, "the file ends too early");
  std::memcpy(target, state.rest.data(), count);
  state.rest = state.rest.subspan(count);
}

bool create(PngState& state) {
  if (setjmp(state.target) != 0) return false;
  state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
  if (state.png != nullptr) state.info = png_create_info_struct(state.png);
  std::snprintf(state.message, sizeof(state.message), "libpng does not start");
  return state.info != nullptr;
}

bool read_header(PngState& state) {
  if (setjmp(state.target) != 0) return false;
  png_set_read_fn(state.png, &state, on_read);
  png_read_info(state.png, state.info);
  return true;
}

// Every kind of pixel becomes 8-bit RGB; transparency is dropped.
bool convert_to_rgb(PngState& state) {
  if (setjmp(state.target) != 0) return false;
  const int type = png_get_color_type(state.png, state.info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(state.png);
  if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(state.png);
  if ((type & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(state.png);
  png_set_strip_16(state.png);
  png_set_strip_alpha(state.png);
  png_set_interlace_handling(state.png);
  png_read_update_info(state.png, state.info);
  return true;
}

bool read_pixels(PngState& state, png_bytepp rows) {
  if (setjmp(state.target) != 0) return false;
  png_read_image(state.png, rows);
  return true;
}

// The chunks after the pixels. Without them an image is still complete.
bool read_end(PngState& state) {
  if (setjmp(state.target) != 0) return false;
  png_read_end(state.png, state.info);
  return true;
}

// Owns the state and with it libpng's memory.
class PngReader {
 public:
  explicit PngReader(std::span<const std::byte> bytes) : state_{}, bytes_(bytes.size()) {
    state_.rest = bytes;
    check(create(state_), "unreadable");
  }
  ~PngReader() { png_destroy_read_struct(&state_.png, &state_.info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  RgbImage read() {
    check(read_header(state_), "unreadable");
    const std::int64_t width = png_get_image_width(state_.png, state_.info);
    const std::int64_t height = png_get_image_height(state_.png, state_.info);
    if (width * height > most_pixels) {
      fail(ExitCode::bad_data, "{} x {} pixels exceed the limit of {} million", width, height,
           most_pixels / 1'000'000);
    }
    require_room(static_cast<std::uint64_t>(height) * png_get_rowbytes(state_.png, state_.info), bytes_);
    check(convert_to_rgb(state_), "unreadable");
    RgbImage image;
    image.width = static_cast<int>(width);
    image.height = static_cast<int>(height);
    const std::size_t row_bytes = static_cast<std::size_t>(width) * 3;
    ensure(png_get_rowbytes(state_.png, state_.info) == row_bytes, "libpng converts to 8-bit RGB");
    image.pixels.resize(row_bytes * static_cast<std::size_t>(height));
    std::vector<png_bytep> rows;
    for (std::int64_t y = 0; y < height; ++y)
      rows.push_back(image.pixels.data() + static_cast<std::size_t>(y) * row_bytes);
    check(read_pixels(state_, rows.data()), "damaged");
    read_end(state_);
    image.orientation = orientation();
    return image;
  }

 private:
  void check(bool fine, const char* fault) const {
    if (!fine) fail(ExitCode::bad_data, "{} PNG: {}", fault, state_.message);
  }

  int orientation() {
    png_uint_32 size = 0;
    png_bytep block = nullptr;
    if (png_get_eXIf_1(state_.png, state_.info, &size, &block) != 0)
      return exif_orientation_of_tiff({block, size});
    png_textp texts = nullptr;
    int count = 0;
    png_get_text(state_.png, state_.info, &texts, &count);
    for (const png_text& text : std::span(texts, static_cast<std::size_t>(count))) {
      const std::string_view key = text.key;
      if (key == "Raw profile type exif" || key == "Raw profile type APP1")
        return exif_orientation_of_raw_profile(text.text);
    }
    return 1;
  }

  // The size in the header is a claim: memory is allocated for it only if the file can hold `claimed` bytes.
  static void require_room(std::uint64_t claimed, std::size_t bytes) {
    constexpr std::uint64_t largest_ratio = 1032;  // of deflate
    if (claimed / largest_ratio > bytes)
      fail(ExitCode::bad_data,
           "unreadable PNG: its pixels need {} bytes, more than its {} compressed bytes can hold", claimed,
           bytes);
  }

  PngState state_;
  std::size_t bytes_;  // of the whole file
};

}  // namespace

RgbImage decode_png(std::span<const std::byte> bytes) {
  return PngReader(bytes).read();
}

}  // namespace convoy
