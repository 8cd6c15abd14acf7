#include "data/image_files.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <matio.h>
#include <png.h>

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

// The samples of a pixel as they go into the encoder.
std::vector<std::uint8_t> samples(const Rgb& colour, JpegKind kind) {
  switch (kind) {
    case JpegKind::grey:
      return {byte(colour.r)};
    case JpegKind::cmyk_plain:
      return {byte(255 - colour.r), byte(255 - colour.g), byte(255 - colour.b), 0};
    case JpegKind::cmyk_adobe:
    case JpegKind::ycck:  // Adobe's are inverted: 255 is no ink
      return {byte(colour.r), byte(colour.g), byte(colour.b), 255};
    default:
      return {byte(colour.r), byte(colour.g), byte(colour.b)};
  }
}

void set_colours(jpeg_compress_struct& info, JpegKind kind) {
  const bool four = kind == JpegKind::cmyk_adobe || kind == JpegKind::cmyk_plain || kind == JpegKind::ycck;
  info.input_components = four ? 4 : kind == JpegKind::grey ? 1 : 3;
  info.in_color_space = four ? JCS_CMYK : kind == JpegKind::grey ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  if (kind == JpegKind::ycck) jpeg_set_colorspace(&info, JCS_YCCK);
  if (kind == JpegKind::cmyk_plain) info.write_Adobe_marker = FALSE;
  if (kind == JpegKind::progressive) jpeg_simple_progression(&info);
  jpeg_set_quality(&info, 95, TRUE);
  for (int component = 0; component < info.num_components; ++component)
    info.comp_info[component].h_samp_factor = info.comp_info[component].v_samp_factor = 1;
}

// An EXIF block with the orientation alone (big-endian TIFF, one entry).
std::string exif_block(int orientation) {
  std::string block("Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0", 32);
  block[25] = static_cast<char>(orientation);
  return block;
}

}  // namespace

std::string jpeg_bytes(const Quadrants& picture, JpegKind kind, int orientation) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = static_cast<unsigned>(picture.width);
  info.image_height = static_cast<unsigned>(picture.height);
  set_colours(info, kind);
  jpeg_start_compress(&info, TRUE);
  if (orientation > 0) {
    const std::string block = exif_block(orientation);
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(block.data()),
                      static_cast<unsigned>(block.size()));
  }
  for (int y = 0; y < picture.height; ++y) {
    std::vector<std::uint8_t> row;
    for (int x = 0; x < picture.width; ++x)
      for (const std::uint8_t sample : samples(picture.at(x, y), kind)) row.push_back(sample);
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<const char*>(buffer), size);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return bytes;
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
  std::string bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, append, nullptr);
  png_set_IHDR(png, info, static_cast<unsigned>(picture.width), static_cast<unsigned>(picture.height),
               kind == PngKind::rgb16 ? 16 : 8, png_colour_type(kind),
               kind == PngKind::interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> palette;
  for (const Rgb& colour : picture.colours)
    palette.push_back({byte(colour.r), byte(colour.g), byte(colour.b)});
  if (kind == PngKind::palette) png_set_PLTE(png, info, palette.data(), 4);
  png_write_info(png, info);
  std::vector<std::vector<std::uint8_t>> rows;
  std::vector<png_bytep> pointers;
  for (int y = 0; y < picture.height; ++y) rows.push_back(png_row(picture, kind, y));
  for (auto& row : rows) pointers.push_back(row.data());
  png_write_image(png, pointers.data());
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

std::string tar_bytes(const Members& members, bool gzip) {
  std::size_t most = 1 << 16;
  for (const auto& [path, content] : members) most += content.size() + path.size() + 4096;
  std::string bytes(most, '\0');
  std::size_t used = 0;
  archive* handle = archive_write_new();
  archive_write_set_format_pax_restricted(handle);
  if (gzip) archive_write_add_filter_gzip(handle);
  require(archive_write_open_memory(handle, bytes.data(), bytes.size(), &used) == ARCHIVE_OK,
          "cannot open a tar");
  for (const auto& [path, content] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, path.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    require(archive_write_header(handle, entry) == ARCHIVE_OK, "cannot write a tar header");
    archive_write_data(handle, content.data(), content.size());
    archive_entry_free(entry);
  }
  require(archive_write_close(handle) == ARCHIVE_OK, "cannot close a tar");
  archive_write_free(handle);
  bytes.resize(used);
  return bytes;
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
