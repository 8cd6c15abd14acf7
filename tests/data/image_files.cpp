#include "data/image_files.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <matio.h>
#include <png.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
// After <cstdio>, which it needs.
#include <jpeglib.h>

#include "support/temporary_folder.hpp"

namespace convoy::test {

namespace {

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

std::uint8_t byte(int value) {
  return static_cast<std::uint8_t>(value);
}

bool has_ink(JpegKind kind) {
  return kind == JpegKind::cmyk_adobe || kind == JpegKind::cmyk_plain || kind == JpegKind::cmyk_progressive ||
         kind == JpegKind::ycck;
}

// The samples of a pixel as they go into the encoder. Ink is inverted, as all programs write it: 255 is none.
std::vector<std::uint8_t> samples(const Rgb& colour, JpegKind kind) {
  if (kind == JpegKind::grey) return {byte(colour.r)};
  if (!has_ink(kind)) return {byte(colour.r), byte(colour.g), byte(colour.b)};
  const int key = std::max({colour.r, colour.g, colour.b, 1});
  const auto paper = [key](int value) { return byte((value * 255 + key / 2) / key); };
  return {paper(colour.r), paper(colour.g), paper(colour.b), byte(key)};
}

void set_colours(jpeg_compress_struct& info, JpegKind kind) {
  info.input_components = has_ink(kind) ? 4 : kind == JpegKind::grey ? 1 : 3;
  info.in_color_space = has_ink(kind) ? JCS_CMYK : kind == JpegKind::grey ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  if (kind == JpegKind::ycck) jpeg_set_colorspace(&info, JCS_YCCK);
  if (kind == JpegKind::cmyk_plain) info.write_Adobe_marker = FALSE;
  if (kind == JpegKind::progressive || kind == JpegKind::cmyk_progressive) jpeg_simple_progression(&info);
}

// An EXIF block with the orientation alone (big-endian TIFF, one entry).
std::string exif_block(int orientation) {
  std::string block("Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0", 32);
  block[25] = static_cast<char>(orientation);
  return block;
}

}  // namespace

namespace {

void write_markers(jpeg_compress_struct& info, JpegKind kind, int orientation) {
  const auto write = [&](int number, const std::string& block) {
    jpeg_write_marker(&info, JPEG_APP0 + number, reinterpret_cast<const JOCTET*>(block.data()),
                      static_cast<unsigned>(block.size()));
  };
  if (orientation > 0) write(1, exif_block(orientation));
  if (kind == JpegKind::icc_profile)
    write(2, std::string("ICC_PROFILE\0\1\1", 14) + std::string(500, '\x55'));
}

// `colour_at(x, y)` is the picture.
template <typename ColourAt>
std::string encode_jpeg(int width, int height, const ColourAt& colour_at, JpegKind kind, int quality,
                        bool subsampled, int orientation) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = static_cast<unsigned>(width);
  info.image_height = static_cast<unsigned>(height);
  set_colours(info, kind);
  jpeg_set_quality(&info, quality, TRUE);
  for (int component = 0; component < info.num_components && !subsampled; ++component)
    info.comp_info[component].h_samp_factor = info.comp_info[component].v_samp_factor = 1;
  jpeg_start_compress(&info, TRUE);
  write_markers(info, kind, orientation);
  for (int y = 0; y < height; ++y) {
    std::vector<std::uint8_t> row;
    for (int x = 0; x < width; ++x)
      for (const std::uint8_t sample : samples(colour_at(x, y), kind)) row.push_back(sample);
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<const char*>(buffer), size);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return bytes;
}

}  // namespace

std::string jpeg_bytes(const Quadrants& picture, JpegKind kind, int orientation) {
  return encode_jpeg(
      picture.width, picture.height, [&](int x, int y) { return picture.at(x, y); }, kind, 95, false,
      orientation);
}

std::string photo_bytes(const Picture& picture, int orientation) {
  const auto colour_at = [&](int x, int y) {
    const std::uint8_t* pixel = picture.pixels.data() + (static_cast<std::size_t>(y) * picture.width + x) * 3;
    return Rgb{pixel[0], pixel[1], pixel[2]};
  };
  return encode_jpeg(picture.width, picture.height, colour_at, JpegKind::rgb, 92, true, orientation);
}

namespace {

void append(png_structp png, png_bytep data, std::size_t size) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<const char*>(data), size);
}

std::vector<std::uint8_t> png_row(const Quadrants& picture, PngKind kind, int y) {
  std::vector<std::uint8_t> row;
  for (int x = 0; x < picture.width; ++x) {
    const Rgb colour = picture.at(x, y);
    if (kind == PngKind::grey8) {
      row.push_back(byte(colour.r));
      continue;
    }
    if (kind == PngKind::palette) {
      row.push_back(byte((y >= picture.height / 2 ? 2 : 0) + (x >= picture.width / 2 ? 1 : 0)));
      continue;
    }
    for (const int value : {colour.r, colour.g, colour.b}) {
      row.push_back(byte(value));
      if (kind == PngKind::rgb16) row.push_back(byte(value));
    }
    if (kind == PngKind::rgba) row.push_back(x < picture.width / 2 && y < picture.height / 2 ? 0 : 255);
  }
  return row;
}

int png_colour_type(PngKind kind) {
  switch (kind) {
    case PngKind::grey8:
      return PNG_COLOR_TYPE_GRAY;
    case PngKind::palette:
      return PNG_COLOR_TYPE_PALETTE;
    case PngKind::rgba:
      return PNG_COLOR_TYPE_RGBA;
    default:
      return PNG_COLOR_TYPE_RGB;
  }
}

}  // namespace

std::string png_bytes(const Quadrants& picture, PngKind kind) {
  PngParts parts;
  parts.width = picture.width;
  parts.height = picture.height;
  parts.depth = kind == PngKind::rgb16 ? 16 : 8;
  parts.colour_type = png_colour_type(kind);
  parts.interlaced = kind == PngKind::interlaced;
  if (kind == PngKind::palette) parts.palette = {picture.colours, picture.colours + 4};
  for (int y = 0; y < picture.height; ++y) parts.rows.push_back(png_row(picture, kind, y));
  return png_bytes(parts);
}

namespace {

void set_chunks(png_structp png, png_infop info, const PngParts& parts) {
  std::vector<png_color> palette;
  for (const Rgb& colour : parts.palette) palette.push_back({byte(colour.r), byte(colour.g), byte(colour.b)});
  if (!palette.empty()) png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  png_color_16 key{};
  if (parts.transparent) {
    key.red = key.gray = static_cast<png_uint_16>(parts.transparent->r);
    key.green = static_cast<png_uint_16>(parts.transparent->g);
    key.blue = static_cast<png_uint_16>(parts.transparent->b);
  }
  if (parts.transparent || !parts.palette_alpha.empty())
    png_set_tRNS(png, info, parts.palette_alpha.data(), static_cast<int>(parts.palette_alpha.size()), &key);
  if (parts.gamma > 0) png_set_gAMA(png, info, parts.gamma);
}

void set_exif_text(png_structp png, png_infop info, std::string value) {
  std::string key = "Raw profile type exif";
  png_text text{};
  text.compression = PNG_TEXT_COMPRESSION_zTXt;
  text.key = key.data();
  text.text = value.data();
  png_set_text(png, info, &text, 1);
}

void write_orientation(png_structp png, int orientation) {
  const std::string tiff = exif_block(orientation).substr(6);
  png_write_chunk(png, reinterpret_cast<png_const_bytep>("eXIf"),
                  reinterpret_cast<png_const_bytep>(tiff.data()), tiff.size());
}

}  // namespace

std::string png_bytes(const PngParts& parts) {
  std::string bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, append, nullptr);
  png_set_IHDR(png, info, static_cast<unsigned>(parts.width), static_cast<unsigned>(parts.height),
               parts.depth, parts.colour_type, parts.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  set_chunks(png, info, parts);
  if (!parts.exif_text.empty()) set_exif_text(png, info, parts.exif_text);
  png_write_info(png, info);
  if (parts.orientation > 0 && !parts.orientation_last) write_orientation(png, parts.orientation);
  std::vector<std::vector<std::uint8_t>> rows = parts.rows;
  std::vector<png_bytep> pointers;
  for (auto& row : rows) pointers.push_back(row.data());
  png_write_image(png, pointers.data());
  if (parts.orientation > 0 && parts.orientation_last) write_orientation(png, parts.orientation);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  require(file.good(), "cannot write a test file");
}

namespace {

void write_entry(archive* handle, const ArchiveEntry& item) {
  using Kind = ArchiveEntry::Kind;
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, item.path.c_str());
  archive_entry_set_filetype(entry, item.kind == Kind::folder          ? AE_IFDIR
                                    : item.kind == Kind::symbolic_link ? AE_IFLNK
                                    : item.kind == Kind::fifo          ? AE_IFIFO
                                                                       : AE_IFREG);
  archive_entry_set_perm(entry, 0644);
  const bool file = item.kind == Kind::file || item.kind == Kind::sparse_file;
  archive_entry_set_size(entry, file ? static_cast<la_int64_t>(item.content.size()) : 0);
  if (item.kind == Kind::sparse_file)
    archive_entry_sparse_add_entry(entry, static_cast<la_int64_t>(item.content.find('x')), 1);
  if (item.kind == Kind::hard_link) archive_entry_set_hardlink(entry, item.content.c_str());
  if (item.kind == Kind::symbolic_link) archive_entry_set_symlink(entry, item.content.c_str());
  require(archive_write_header(handle, entry) == ARCHIVE_OK, "cannot write an archive's header");
  if (file) archive_write_data(handle, item.content.data(), item.content.size());
  archive_entry_free(entry);
}

// `prepare(handle)` sets format, filters and options.
template <typename Prepare>
std::string archive_of(const std::vector<ArchiveEntry>& entries, Prepare&& prepare) {
  std::size_t most = 1 << 16;
  for (const ArchiveEntry& entry : entries) most += entry.content.size() + entry.path.size() + 4096;
  std::string bytes(most, '\0');
  std::size_t used = 0;
  archive* handle = archive_write_new();
  prepare(handle);
  require(archive_write_open_memory(handle, bytes.data(), bytes.size(), &used) == ARCHIVE_OK,
          "cannot open an archive");
  for (const ArchiveEntry& entry : entries) write_entry(handle, entry);
  require(archive_write_close(handle) == ARCHIVE_OK, "cannot close an archive");
  archive_write_free(handle);
  bytes.resize(used);
  return bytes;
}

std::vector<ArchiveEntry> files_of(const Members& members) {
  std::vector<ArchiveEntry> entries;
  for (const auto& [path, content] : members) entries.push_back({ArchiveEntry::Kind::file, path, content});
  return entries;
}

}  // namespace

std::string tar_bytes(const Members& members, bool gzip) {
  return archive_of(files_of(members), [&](archive* handle) {
    archive_write_set_format_pax_restricted(handle);
    if (gzip) archive_write_add_filter_gzip(handle);
  });
}

std::string tar_of(const std::vector<ArchiveEntry>& entries) {
  return archive_of(entries, [](archive* handle) { archive_write_set_format_pax(handle); });
}

std::string zip_of(const std::vector<ArchiveEntry>& entries, const std::string& options) {
  return archive_of(entries, [&](archive* handle) {
    archive_write_set_format_zip(handle);
    archive_write_set_passphrase(handle, "secret");
    // Without this libarchive fills the last block as on a tape.
    archive_write_set_bytes_in_last_block(handle, 1);
    if (!options.empty())
      require(archive_write_set_options(handle, options.c_str()) == ARCHIVE_OK, "unknown options of a zip");
  });
}

std::string zip_bytes(const Members& members, const std::string& options) {
  return zip_of(files_of(members), options);
}

namespace {

matvar_t* number(double value) {
  std::size_t shape[2] = {1, 1};
  return Mat_VarCreate(nullptr, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, shape, &value, 0);
}

// MATLAB stores text in 16-bit units, other writers as UTF-8.
matvar_t* wide_text(const std::string& value) {
  std::size_t shape[2] = {1, value.size()};
  std::u16string wide(value.begin(), value.end());
  return Mat_VarCreate(nullptr, MAT_C_CHAR, MAT_T_UINT16, 2, shape, wide.data(), 0);
}

matvar_t* utf8_text(std::string value) {
  std::size_t shape[2] = {1, value.size()};
  return Mat_VarCreate(nullptr, MAT_C_CHAR, MAT_T_UTF8, 2, shape, value.data(), 0);
}

}  // namespace

std::string meta_mat_bytes(const std::vector<SynsetEntry>& leaves) {
  const TemporaryFolder folder;
  const std::string path = (folder / "meta.mat").string();
  mat_t* mat = Mat_CreateVer(path.c_str(), nullptr, MAT_FT_MAT5);
  const char* fields[] = {"ILSVRC2012_ID", "WNID", "words", "num_children"};
  std::size_t shape[2] = {leaves.size() + 1, 1};
  matvar_t* synsets = Mat_VarCreateStruct("synsets", 2, shape, fields, 4);
  for (std::size_t i = 0; i <= leaves.size(); ++i) {
    const bool inner = i == leaves.size();
    const SynsetEntry entry = inner ? SynsetEntry{9999, "n00001740", "entity"} : leaves[i];
    Mat_VarSetStructFieldByName(synsets, fields[0], i, number(entry.id));
    Mat_VarSetStructFieldByName(synsets, fields[1], i, wide_text(entry.wnid));
    Mat_VarSetStructFieldByName(synsets, fields[2], i, utf8_text(entry.words));
    Mat_VarSetStructFieldByName(synsets, fields[3], i, number(inner ? 3 : 0));
  }
  require(Mat_VarWrite(mat, synsets, MAT_COMPRESSION_ZLIB) == 0, "cannot write meta.mat");
  Mat_VarFree(synsets);
  Mat_Close(mat);
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace convoy::test
