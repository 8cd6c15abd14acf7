#include "cli/picture_places.hpp"

#include <filesystem>
#include <map>

#include "base/error.hpp"
#include "cli/image_file.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> places_in(const fs::path& folder, const std::vector<std::string>& images) {
  std::vector<std::string> places;
  std::map<std::string, std::string> image_at;
  for (const std::string& image : images) {
    places.push_back((folder / (fs::path(image).filename().string() + ".png")).string());
    const auto [other, is_new] = image_at.emplace(places.back(), image);
    if (!is_new && other->second != image)
      fail(ExitCode::usage, "--picture {}: {} and {} would both become {}; draw them in two calls",
           folder.string(), other->second, image, places.back());
  }
  return places;
}

}  // namespace

std::vector<std::string> picture_places(const std::string& target, const std::vector<std::string>& images) {
  std::error_code unknown;  // writing reports the reason
  std::vector<std::string> places;
  if (fs::is_directory(target, unknown)) {
    places = places_in(target, images);
  } else {
    if (images.size() > 1)
      fail(ExitCode::usage, "--picture {}: {} images need a folder, which must exist", target, images.size());
    check_picture_path("--picture", target);
    places = {target};
  }
  refuse_overwriting("--picture", places, images);
  return places;
}

}  // namespace convoy
