// Image files, tars and ILSVRC development kits made on the spot, with every oddity that real collections
// show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace convoy::test {

struct Rgb {
  int r, g, b;
};

// A picture of four quadrants: top left, top right, bottom left, bottom right.
struct Quadrants {
  int width = 32, height = 32;
  Rgb colours[4] = {{220, 30, 30}, {30, 200, 40}, {40, 50, 210}, {230, 220, 40}};
  Rgb at(int x, int y) const { return colours[(y >= height / 2 ? 2 : 0) + (x >= width / 2 ? 1 : 0)]; }
};

// Any picture: rows of width × 3 values.
struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
};

enum class JpegKind { rgb, grey, cmyk_adobe, cmyk_plain, cmyk_progressive, ycck, progressive, icc_profile };

// A JPEG of quality 95 without chroma subsampling; `orientation` > 0 adds an EXIF block. The CMYK kinds carry
// the grey part of each colour in the black plate.
std::string jpeg_bytes(const Quadrants& picture, JpegKind kind = JpegKind::rgb, int orientation = 0);

// A JPEG as cameras write it: quality 92, chroma at half the resolution.
std::string photo_bytes(const Picture& picture, int orientation = 0);

enum class PngKind { rgb8, rgb16, grey8, palette, rgba, interlaced };

// The alpha of `rgba` is 0 in the top left quadrant and 255 elsewhere.
std::string png_bytes(const Quadrants& picture, PngKind kind = PngKind::rgb8);

// Everything that a PNG file can hold.
struct PngParts {
  int width = 0, height = 0;
  int depth = 8;                                // bits of a sample
  int colour_type = 2;                          // 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA
  std::vector<std::vector<std::uint8_t>> rows;  // packed as in the file
  std::vector<Rgb> palette;
  std::vector<std::uint8_t> palette_alpha;
  std::optional<Rgb> transparent;  // the colour that is transparent; grey: in r
  bool interlaced = false;
  double gamma = 0;               // > 0: the file's gamma
  int orientation = 0;            // > 0: an eXIf chunk
  std::string exif_text;          // not empty: a compressed text "Raw profile type exif"
  bool orientation_last = false;  // after the pixels
};
std::string png_bytes(const PngParts& parts);

void write_file(const std::filesystem::path& path, const std::string& bytes);  // makes the folders above it

using Members = std::vector<std::pair<std::string, std::string>>;  // path and content
std::string tar_bytes(const Members& members, bool gzip = false);

// An entry of an archive of any kind.
struct ArchiveEntry {
  enum class Kind { file, folder, hard_link, symbolic_link, fifo, sparse_file } kind = Kind::file;
  std::string path,
      content;  // of a link its target; of a sparse file zeros, which are not stored, before "x"
};
std::string tar_of(const std::vector<ArchiveEntry>& entries);
// `options` of libarchive's zip writer, for example "compression=store" or "encryption=zipcrypt".
std::string zip_of(const std::vector<ArchiveEntry>& entries, const std::string& options = "");
std::string zip_bytes(const Members& members, const std::string& options = "");

// meta.mat with a struct array synsets as the ILSVRC2012 kit has it; `leaves` are (ID, WNID, words), and an
// inner node with children is added.
struct SynsetEntry {
  double id;
  std::string wnid, words;
};
std::string meta_mat_bytes(const std::vector<SynsetEntry>& leaves);

}  // namespace convoy::test
