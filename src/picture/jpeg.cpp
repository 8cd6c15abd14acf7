#include "picture/jpeg.hpp"

#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE
#include <cstdlib>
#include <new>

#include "base/error.hpp"

namespace convoy {
namespace {

// libjpeg reports an error by a call that must not return: encode's end is where it goes.
struct Errors {
  jpeg_error_mgr manager{};
  std::jmp_buf target{};
};

extern "C" void leave_encoder(j_common_ptr compressor) {
  std::longjmp(reinterpret_cast<Errors*>(compressor->err)->target, 1);
}

// A compressor and the memory that it writes to.
struct Compressor {
  Errors errors;
  jpeg_compress_struct state{};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;

  Compressor() {
    state.err = jpeg_std_error(&errors.manager);
    errors.manager.error_exit = leave_encoder;
  }
  ~Compressor() {
    jpeg_destroy_compress(&state);
    std::free(bytes);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
};

// False after an error: out of memory, the only one that a picture in memory can meet. Has no objects whose
// destructors a jump would skip.
bool encode(Compressor& compressor, const Picture& picture, int quality) {
  if (setjmp(compressor.errors.target) != 0) return false;
  jpeg_compress_struct& state = compressor.state;
  jpeg_create_compress(&state);
  jpeg_mem_dest(&state, &compressor.bytes, &compressor.size);
  state.image_width = static_cast<JDIMENSION>(picture.width);
  state.image_height = static_cast<JDIMENSION>(picture.height);
  state.input_components = 3;
  state.in_color_space = JCS_RGB;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, quality, TRUE);
  state.optimize_coding = TRUE;
  jpeg_start_compress(&state, TRUE);
  while (state.next_scanline < state.image_height) {
    // The library's interface has no const; it only reads.
    auto* row = const_cast<JSAMPROW>(picture.at(0, static_cast<int>(state.next_scanline)));
    jpeg_write_scanlines(&state, &row, 1);
  }
  jpeg_finish_compress(&state);
  return true;
}

}  // namespace

std::string jpeg_bytes(const Picture& picture, int quality) {
  ensure(picture.width > 0 && picture.height > 0, "a picture for JPEG has pixels");
  Compressor compressor;
  if (!encode(compressor, picture, quality)) throw std::bad_alloc();
  return {reinterpret_cast<const char*>(compressor.bytes), compressor.size};
}

}  // namespace convoy
