// Image files that are named on the command line, and the pictures that are written. Used by predict and
// visualize.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/fit.hpp"
#include "picture/picture.hpp"

namespace convoy {

// A JPEG or PNG, read once. Errors name its path: ExitCode::usage for a folder, io when it cannot be read,
// bad_data when it cannot be decoded.
class ImageFile {
 public:
  explicit ImageFile(const std::string& path);

  // As pack stores it: side × side × 3 bytes.
  std::vector<std::uint8_t> square(int side, Fit fit) const;
  // The whole image, upright, its longer side at most `side`.
  Picture upright(int side) const;

 private:
  std::string path_, bytes_;
};

// Whether `name` ends in ".png", in any case.
bool is_png_name(std::string_view name);

// Refuses a file to which no picture can be written, before anything is computed: ExitCode::usage with
// `option` for a name that does not end in .png and for a folder, ExitCode::io for a folder that does not
// exist.
void check_picture_path(std::string_view option, const std::string& path);

// Throws ExitCode::usage if one of the pictures would replace one of the images.
void refuse_overwriting(std::string_view option, const std::vector<std::string>& pictures,
                        const std::vector<std::string>& images);

}  // namespace convoy
