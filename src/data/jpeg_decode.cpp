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

namespace convoy {

namespace {

// A file with thousands of progressive scans takes minutes to decode; cameras and encoders use about ten.
constexpr int most_scans = 200;

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

// The largest reduction (1, 2, 4 or 8) that leaves the shorter side at least `least_side`.
unsigned reduction(unsigned shorter, int least_side) {
  unsigned denominator = 8;
  while (denominator > 1 && (least_side <= 0 || shorter / denominator < static_cast<unsigned>(least_side)))
    denominator /= 2;
  return denominator;
}

// Adobe's programs store CMYK inverted (0 is full ink) and mark this with their own marker.
void cmyk_to_rgb(const std::vector<std::uint8_t>& cmyk, bool inverted, std::vector<std::uint8_t>& rgb) {
  const int flip = inverted ? 0 : 255;
  for (std::size_t pixel = 0; pixel < cmyk.size() / 4; ++pixel) {
    const int key = flip ^ cmyk[4 * pixel + 3];
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const int paper = flip ^ cmyk[4 * pixel + channel];
      rgb[3 * pixel + channel] = static_cast<std::uint8_t>((paper * key + 127) / 255);
    }
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

  RgbImage read(std::span<const std::byte> bytes, int least_side) {
    check(read_header(state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
    jpeg_decompress_struct& info = state_.info;
    if (std::int64_t{info.image_width} * info.image_height > most_pixels) {
      fail(ExitCode::bad_data, "{} x {} pixels exceed the limit of {} million", info.image_width,
           info.image_height, most_pixels / 1'000'000);
    }
    check(start(state_, reduction(std::min(info.image_width, info.image_height), least_side)));
    RgbImage image;
    image.width = static_cast<int>(info.output_width);
    image.height = static_cast<int>(info.output_height);
    image.orientation = saved_orientation(info);
    const std::size_t count = std::size_t{info.output_width} * info.output_height;
    image.pixels.resize(count * 3);
    if (info.out_color_space == JCS_CMYK) {
      std::vector<std::uint8_t> cmyk(count * 4);
      check(read_rows(state_, cmyk.data(), std::size_t{info.output_width} * 4));
      cmyk_to_rgb(cmyk, info.saw_Adobe_marker != 0, image.pixels);
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

RgbImage decode_jpeg(std::span<const std::byte> bytes, int least_side) {
  return JpegReader().read(bytes, least_side);
}

}  // namespace convoy
