#include "cli/image_file.hpp"

#include <filesystem>
#include <set>
#include <span>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "base/lower_case.hpp"
#include "data/decode.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

template <typename Decode>
auto naming(const std::string& path, const Decode& decode) {
  try {
    return decode();
  } catch (const Error& error) {
    fail(error.category(), "{}: {}", path, error.what());
  }
}

}  // namespace

ImageFile::ImageFile(const std::string& path) : path_(path) {
  std::error_code unknown;  // opening the file reports the reason
  if (fs::is_directory(path, unknown))
    fail(ExitCode::usage, "{} is a folder: pass image files, for example {}/*.jpg", path, path);
  bytes_ = read_file_or_pipe(path);
}

std::vector<std::uint8_t> ImageFile::square(int side, Fit fit) const {
  std::vector<std::uint8_t> square(static_cast<std::size_t>(side) * side * 3);
  naming(path_, [&] { decode_square(std::as_bytes(std::span(bytes_)), side, fit, square); });
  return square;
}

Picture ImageFile::upright(int side) const {
  return naming(path_, [&] { return decode_upright(std::as_bytes(std::span(bytes_)), side); });
}

bool is_png_name(std::string_view name) {
  return lower_case(fs::path(name).extension().string()) == ".png";
}

void check_picture_path(std::string_view option, const std::string& path) {
  std::error_code unknown;  // writing the file reports the reason
  if (fs::is_directory(path, unknown))
    fail(ExitCode::usage, "{} {} is a folder: name the file, such as {}", option, path,
         (fs::path(path) / "picture.png").string());
  if (!is_png_name(path))
    fail(ExitCode::usage, "{} {}: the picture is a PNG file; use a name that ends in .png", option, path);
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::exists(folder, unknown))
    fail(ExitCode::io, "{} {}: the folder {} does not exist", option, path, folder.string());
}

void refuse_overwriting(std::string_view option, const std::vector<std::string>& pictures,
                        const std::vector<std::string>& images) {
  std::error_code unknown;  // opening the image reports the reason
  std::set<fs::path> files;
  for (const std::string& image : images) files.insert(fs::weakly_canonical(image, unknown));
  for (const std::string& picture : pictures) {
    if (files.contains(fs::weakly_canonical(picture, unknown)))
      fail(ExitCode::usage, "{}: {} is an image that is read and would be overwritten; use another name",
           option, picture);
  }
}

}  // namespace convoy
