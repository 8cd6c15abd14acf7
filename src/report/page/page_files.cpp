#include "report/page/page_files.hpp"

#include <cstddef>

// From page_files.S.
extern "C" {
extern const char convoy_page_frame_begin, convoy_page_frame_end;
extern const char convoy_page_style_begin, convoy_page_style_end;
extern const char convoy_page_script_begin, convoy_page_script_end;
}

namespace convoy {
namespace {

std::string_view between(const char& begin, const char& end) {
  return {&begin, static_cast<std::size_t>(&end - &begin)};
}

}  // namespace

std::string_view page_frame() {
  return between(convoy_page_frame_begin, convoy_page_frame_end);
}

std::string_view page_style() {
  return between(convoy_page_style_begin, convoy_page_style_end);
}

std::string_view page_script() {
  return between(convoy_page_script_begin, convoy_page_script_end);
}

}  // namespace convoy
