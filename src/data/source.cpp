#include "data/source.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "data/source_kinds.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view accepted_archives =
    "supported are an image folder (class/.../x.jpg), a tar of class folders, the ILSVRC2012 tars "
    "and CIFAR-10's binary version (folder, tar or tar.gz)";

std::string first_bytes(const fs::path& path, std::size_t count) {
  std::string bytes(count, '\0');
  bytes.resize(open_file(path, O_RDONLY).read_at(0, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

// The tar format has "ustar" at byte 257 of each header; archives from before 1988 have zeros there instead.
bool looks_like_tar(const std::string& head) {
  if (head.size() < 512) return false;
  const std::string_view magic(head.data() + 257, 5);
  return magic == "ustar" ||
         (magic == std::string_view("\0\0\0\0\0", 5) && head[0] != '\0' && head[148] != '\0');
}

bool is_compressed(const std::string& head) {
  using namespace std::string_view_literals;
  constexpr std::array signatures{"\x1F\x8B"sv, "BZh"sv, "\xFD\x37zXZ"sv, "\x28\xB5\x2F\xFD"sv,
                                  "\x04\x22\x4D\x18"sv};
  return std::ranges::any_of(signatures, [&](std::string_view s) { return head.starts_with(s); });
}

SourceIndex index_file(const fs::path& path, std::string_view split, int workers) {
  const std::string head = first_bytes(path, 512);
  if (is_compressed(head)) return index_cifar_tar_gz(path, split);
  if (!looks_like_tar(head)) {
    const bool store = path.filename() == "store.json" || head.starts_with("\x89HDF");
    fail(ExitCode::usage, "{} is {}; {}", path.string(),
         store ? "part of a store, not a source of images" : "neither a folder nor a tar", accepted_archives);
  }
  const auto members = list_tar({path, 0, fs::file_size(path)});
  if (is_cifar_tar(members)) return index_cifar_tar(path, members, split);
  if (is_tar_of_tars(members)) return index_tar_of_tars(path, members, workers);
  return index_tar(path, members);
}

// If the root of a data set were given instead of one of its splits, "train" and "val" would become the
// classes; with the folder that contains the classes' folder, there would be only one class.
void refuse_wrong_level(const SourceIndex& index, const fs::path& path) {
  const auto is_split = [](const std::string& id) { return id == "train" || id == "val" || id == "test"; };
  if (!index.classes.empty() && std::ranges::all_of(index.classes, is_split)) {
    fail(ExitCode::usage,
         "{} contains splits (folders train, val or test), not classes: "
         "pack each one separately, for example {}",
         path.string(), (path / index.classes.front()).string());
  }
  if (index.root.empty() || index.classes.size() != 1) return;
  const std::size_t length = index.classes.front().size() + 1;
  const bool deeper = std::ranges::all_of(
      index.items, [&](const SourceItem& item) { return item.name.find('/', length) != std::string::npos; });
  if (deeper) {
    fail(ExitCode::usage,
         "all images of {} are in folders below {}: give that one, so that its folders are the classes",
         path.string(), (path / index.classes.front()).string());
  }
}

// The first file in `folder` that is named like a tar, for the message.
std::string tar_in(const fs::path& folder) {
  if (!fs::is_directory(folder)) return {};
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".tar") return entry.path().string();
  return {};
}

[[noreturn]] void refuse_empty(const SourceIndex& index, const fs::path& path) {
  const std::string tar = tar_in(path);
  fail(ExitCode::usage, "{} contains no images (.jpg, .jpeg, .png){}{}; {}", path.string(),
       index.ignored > 0 ? fmt::format(", only {} other files", index.ignored) : "",
       tar.empty() ? "" : " (did you mean " + tar + "?)", accepted_archives);
}

void refuse_equal_names(const SourceIndex& index, const fs::path& path) {
  std::vector<std::string_view> names;
  names.reserve(index.items.size());
  for (const SourceItem& item : index.items) names.push_back(item.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) fail(ExitCode::bad_data, "{} contains {} more than once", path.string(), *twice);
}

}  // namespace

bool named_like_image(std::string_view path) {
  const auto name = file_name(path);
  if (name.starts_with('.')) return false;
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string extension(name.substr(dot + 1));
  std::ranges::transform(extension, extension.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  constexpr std::array<std::string_view, 11> known{"jpg", "jpeg", "jpe",  "jfif", "png", "gif",
                                                   "bmp", "webp", "tiff", "tif",  "ppm"};
  return std::ranges::find(known, extension) != known.end();
}

SourceIndex index_source(const fs::path& path, std::string_view split, int workers) {
  if (!fs::exists(path)) fail(ExitCode::io, "{} does not exist; {}", path.string(), accepted_archives);
  SourceIndex index;
  if (!fs::is_directory(path))
    index = index_file(path, split, workers);
  else if (fs::exists(path / "store.json"))
    fail(ExitCode::usage, "{} is already a store; {}", path.string(), accepted_archives);
  else if (is_cifar_folder(path))
    index = index_cifar_folder(path, split);
  else
    index = index_folder(path);
  if (index.items.empty()) refuse_empty(index, path);
  refuse_wrong_level(index, path);
  refuse_equal_names(index, path);
  return index;
}

SourceReader::SourceReader(const SourceIndex& index) : index_(index) {
  if (index.compressed) {
    unpacked_ = unpack_cifar_tar_gz(index);
    return;
  }
  for (const std::string& file : index.files) files_.push_back(open_file(file, O_RDONLY));
}

namespace {

std::vector<std::byte> read_file(const fs::path& path) {
  const FileDescriptor file = open_file(path, O_RDONLY);
  std::vector<std::byte> bytes(file.size());
  file.read_exactly(0, bytes);
  return bytes;
}

RgbImage from_planes(std::span<const std::byte> planes) {
  constexpr int image_side = 32, plane_pixels = image_side * image_side;
  RgbImage image{image_side, image_side, std::vector<std::uint8_t>(3 * plane_pixels)};
  for (std::size_t pixel = 0; pixel < plane_pixels; ++pixel)
    for (std::size_t channel = 0; channel < 3; ++channel)
      image.pixels[3 * pixel + channel] =
          std::to_integer<std::uint8_t>(planes[channel * plane_pixels + pixel]);
  return image;
}

}  // namespace

std::vector<std::byte> SourceReader::read_bytes(const SourceItem& item) const {
  if (index_.files.empty()) return read_file(index_.root / item.name);
  std::vector<std::byte> bytes(item.bytes);
  if (!index_.compressed) {
    files_.at(item.file).read_exactly(item.offset, bytes);
  } else {
    if (item.offset + item.bytes > unpacked_.size())
      fail(ExitCode::io, "{} became shorter while it was read", index_.files.at(0));
    std::memcpy(bytes.data(), unpacked_.data() + item.offset, bytes.size());
  }
  return bytes;
}

void SourceReader::read_square(const SourceItem& item, int side, std::span<std::uint8_t> square,
                               Fit fit) const {
  const std::vector<std::byte> bytes = read_bytes(item);
  if (index_.encoding == SourceEncoding::cifar_planes)
    make_square(from_planes(bytes), side, fit, square);
  else
    decode_square(bytes, side, fit, square);
}

}  // namespace convoy
