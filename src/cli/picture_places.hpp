// Where `predict --picture` writes.
#pragma once

#include <string>
#include <vector>

namespace convoy {

// A file for each image: `target` itself, a PNG file, for one image; or FOLDER/IMAGE.png, where `target` is a
// folder that exists and IMAGE the image's name without its folders. Throws ExitCode::usage where a target
// would be overwritten by another one or would overwrite an image, and as check_picture_path.
std::vector<std::string> picture_places(const std::string& target, const std::vector<std::string>& images);

}  // namespace convoy
