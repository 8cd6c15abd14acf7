// A picture in memory, and the PNG file that it becomes. Used by the commands that draw (visualize, predict
// --picture), by the report and by TensorBoard's files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace convoy {

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
  friend bool operator==(const Colour&, const Colour&) = default;
};

// Width × height pixels of 3 bytes (RGB), rows from top to bottom without gaps.
struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;

  Picture() = default;
  Picture(int width, int height, Colour background = {});

  // The first of a pixel's three bytes.
  std::uint8_t* at(int x, int y);
  const std::uint8_t* at(int x, int y) const;
};

// The bytes of a PNG file. Throws ExitCode::bug for an empty picture.
std::string png_bytes(const Picture& picture);

// Writes a PNG file, complete or not at all. Throws ExitCode::io.
void write_png(const std::filesystem::path& path, const Picture& picture);

}  // namespace convoy
