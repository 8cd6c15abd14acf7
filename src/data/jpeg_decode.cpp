#include "data/jpeg_decode.hpp"

#include <csetjmp>
#include <cstdio>
#include <cstring>
// jpeglib.h requires size_t and FILE, and jerror.h's numbers depend on definitions in jpeglib.h.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "base/error.hpp"
#include "data/exif_orientation.hpp"
#include "data/placement.hpp"

namespace convoy {

namespace {

// A file with thousands of progressive scans takes minutes to decode; cameras and encoders use about ten.
constexpr int most_scans = 200;

// How far an image must still shrink after it was reduced during decoding: then its square differs from that
// of the whole image by about half a level on average. Without a rest it would be 1 to 5 levels.
constexpr double least_remaining_shrinkage = 4;

// libjpeg's state and error handling. libjpeg reports an error by a longjmp, so each function that calls it
// sets its own jump target and contains no object with a destructor.
struct JpegState {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf target;
  char message[JMSG_LENGTH_MAX];
  bool pixels_lost;
};

JpegState& state_of(j_common_ptr info) {
  return *static_cast<JpegState*>(info->client_data);
}

[[noreturn]] void on_error(j_common_ptr info) {
  JpegState& state = state_of(info);
  info->err->format_message(info, state.message);
  std::longjmp(state.target, 1);
}

// Warnings for missing or wrong pixels. Others (stray bytes before a marker, odd version numbers) are common
// in valid files.
bool loses_pixels(int code) {
  return code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE ||
         code == JWRN_MUST_RESYNC || code == JWRN_ARITH_BAD_CODE;
}

void on_message(j_common_ptr info, int level) {
  JpegState& state = state_of(info);
  if (level >= 0 || state.pixels_lost || !loses_pixels(info->err->msg_code)) return;
  state.pixels_lost = true;
  info->err->format_message(info, state.message);
}

void on_output(j_common_ptr) {}

void on_progress(j_common_ptr info) {
  JpegState& state = state_of(info);
  if (state.info.input_scan_number <= most_scans) return;
  std::snprintf(state.message, sizeof(state.message), "more than %d progressive scans", most_scans);
  std::longjmp(state.target, 1);
}

bool create(JpegState& state) {
  state.info.err = jpeg_std_error(&state.errors);
  state.errors.error_exit = on_error;
  state.errors.emit_message = on_message;
  state.errors.output_message = on_output;
  state.progress.progress_monitor = on_progress;
  state.info.client_data = &state;
  if (setjmp(state.target) != 0) return false;
  jpeg_create_decompress(&state.info);
  state.info.client_data = &state;
  state.info.progress = &state.progress;
  return true;
}

bool read_header(JpegState& state, const unsigned char* bytes, unsigned long size) {
  if (setjmp(state.target) != 0) return false;
  jpeg_mem_src(&state.info, bytes, size);
  jpeg_save_markers(&state.info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&state.info, TRUE);
  return true;
}

bool start(JpegState& state, unsigned denominator) {
  if (setjmp(state.target) != 0) return false;
  jpeg_decompress_struct& info = state.info;
  const bool four = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = four ? JCS_CMYK : JCS_RGB;
  info.scale_num = 1;
  info.scale_denom = denominator;
  info.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&info);
  return true;
}

bool read_rows(JpegState& state, unsigned char* pixels, std::size_t row_bytes) {
  if (setjmp(state.target) != 0) return false;
  while (state.info.output_scanline < state.info.output_height) {
    JSAMPROW row = pixels + state.info.output_scanline * row_bytes;
    jpeg_read_scanlines(&state.info, &row, 1);
  }
  jpeg_finish_decompress(&state.info);
  return true;
}

// The size in the header is a claim: memory is allocated for it only if the file can hold that many pixels.
// Huffman codes need at least a bit for each block of 8 × 8 of the component with the most samples;
// arithmetic codes can do with less.
void require_room(const jpeg_decompress_struct& info, std::size_t bytes) {
  constexpr std::int64_t most_pixels_in_byte = 8 * DCTSIZE2, most_if_arithmetic = 64 * most_pixels_in_byte;
  const std::int64_t most = info.arith_code == TRUE ? most_if_arithmetic : most_pixels_in_byte;
  const std::int64_t claimed = std::int64_t{info.image_width} * info.image_height;
  if (claimed / most > static_cast<std::int64_t>(bytes))
    fail(ExitCode::bad_data, "unreadable JPEG: {} x {} pixels are more than its {} bytes can hold",
         info.image_width, info.image_height, bytes);
}

// The largest reduction (1, 2, 4 or 8) after which the image must still shrink enough.
int reduction(double shrinkage) {
  int denominator = 8;
  while (denominator > 1 && shrinkage / denominator < least_remaining_shrinkage) denominator /= 2;
  return denominator;
}

// Inverted CMYK (255: without ink).
void cmyk_to_rgb(const std::vector<std::uint8_t>& cmyk, std::vector<std::uint8_t>& rgb) {
  for (std::size_t pixel = 0; pixel < cmyk.size() / 4; ++pixel) {
    const int key = cmyk[4 * pixel + 3];
    for (std::size_t channel = 0; channel < 3; ++channel)
      rgb[3 * pixel + channel] = static_cast<std::uint8_t>((cmyk[4 * pixel + channel] * key + 127) / 255);
  }
}

int saved_orientation(const jpeg_decompress_struct& info) {
  for (auto marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::span<const std::uint8_t> data(marker->data, marker->data_length);
    if (data.size() > 6 && std::memcmp(data.data(), "Exif\0\0", 6) == 0) return exif_orientation(data);
  }
  return 1;
}

// Owns the state and with it libjpeg's memory.
class JpegReader {
 public:
  JpegReader() : state_{} { check(create(state_)); }
  ~JpegReader() { jpeg_destroy_decompress(&state_.info); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  RgbImage read(std::span<const std::byte> bytes, int side, Fit fit) {
    check(read_header(state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
    jpeg_decompress_struct& info = state_.info;
    if (std::int64_t{info.image_width} * info.image_height > most_pixels) {
      fail(ExitCode::bad_data, "{} x {} pixels exceed the limit of {} million", info.image_width,
           info.image_height, most_pixels / 1'000'000);
    }
    require_room(info, bytes.size());
    RgbImage image;
    image.width = static_cast<int>(info.image_width);
    image.height = static_cast<int>(info.image_height);
    image.orientation = saved_orientation(info);
    if (side > 0) {
      const Placement placement = place(image.width, image.height, image.orientation, fit, side);
      image.reduction = reduction(least_shrinkage(placement));
    }
    check(start(state_, static_cast<unsigned>(image.reduction)));
    ensure(static_cast<int>(info.output_width) == image.columns() &&
               static_cast<int>(info.output_height) == image.rows(),
           "libjpeg rounds the sides of a reduced image up");
    const std::size_t count = std::size_t{info.output_width} * info.output_height;
    image.pixels.resize(count * 3);
    if (info.out_color_space == JCS_CMYK) {
      std::vector<std::uint8_t> cmyk(count * 4);
      check(read_rows(state_, cmyk.data(), std::size_t{info.output_width} * 4));
      cmyk_to_rgb(cmyk, image.pixels);
    } else {
      check(read_rows(state_, image.pixels.data(), std::size_t{info.output_width} * 3));
    }
    if (state_.pixels_lost) fail(ExitCode::bad_data, "damaged JPEG: {}", state_.message);
    return image;
  }

 private:
  void check(bool fine) const {
    if (!fine) fail(ExitCode::bad_data, "unreadable JPEG: {}", state_.message);
  }

  JpegState state_;
};

}  // namespace

RgbImage decode_jpeg(std::span<const std::byte> bytes, int side, Fit fit) {
  return JpegReader().read(bytes, side, fit);
}

}  // namespace convoy
