#include "sources/source.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "base/lower_case.hpp"
#include "base/text_list.hpp"
#include "sources/source_kinds.hpp"
#include "sources/zip_file.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view accepted_sources =
    "supported are an image folder (class/.../x.jpg), a tar or zip of class folders, a folder in one of "
    "them, the ILSVRC2012 tars and CIFAR-10's binary version (folder, tar or tar.gz)";

std::string first_bytes(const fs::path& path, std::size_t count) {
  std::string bytes(count, '\0');
  bytes.resize(open_regular_file(path).read_at(0, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

// Whether the sum of a header's bytes is the octal number that it contains, with blanks in that number's
// place.
bool header_sum_fits(std::string_view header) {
  constexpr std::size_t sum_begin = 148, sum_bytes = 8;
  std::string_view digits = header.substr(sum_begin, sum_bytes);
  digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
  unsigned expected = 0, sum = 0;
  constexpr int octal = 8;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), expected, octal).ec != std::errc())
    return false;
  for (std::size_t i = 0; i < header.size(); ++i)
    sum += i >= sum_begin && i < sum_begin + sum_bytes ? ' ' : static_cast<unsigned char>(header[i]);
  return sum == expected;
}

// The tar format has "ustar" at byte 257 of each header; archives from before 1988 have zeros there instead.
bool looks_like_tar(const std::string& head) {
  if (head.size() < 512) return false;
  const std::string_view magic(head.data() + 257, 5);
  return magic == "ustar" || (magic == std::string_view("\0\0\0\0\0", 5) && header_sum_fits(head));
}

bool is_compressed(const std::string& head) {
  using namespace std::string_view_literals;
  constexpr std::array signatures{"\x1F\x8B"sv, "BZh"sv, "\xFD\x37zXZ"sv, "\x28\xB5\x2F\xFD"sv,
                                  "\x04\x22\x4D\x18"sv};
  return std::ranges::any_of(signatures, [&](std::string_view s) { return head.starts_with(s); });
}

// The second is the first of several parts.
bool looks_like_zip(const std::string& head) {
  return head.starts_with("PK\3\4") || head.starts_with("PK\7\x08");
}

bool is_empty_zip(const std::string& head) {
  return head.starts_with("PK\5\6");
}

// A path that goes on in an archive, as the archive and the folder in it.
struct ArchivePath {
  fs::path file;
  std::string folder;
};

// `file` is empty if no part of `path` is a file.
ArchivePath split_archive_path(const fs::path& path) {
  ArchivePath result;
  std::vector<std::string> folders;
  bool found = false;
  for (const fs::path& part : path) {
    if (!found) {
      result.file /= part;
      found = fs::is_regular_file(result.file);
    } else if (!part.empty() && part != ".") {
      folders.push_back(part.string());
    }
  }
  if (!found) return {};
  result.folder = text_list(folders, "/");
  return result;
}

SourceIndex index_zip_file(const ArchivePath& archive, const SourceRequest& request) {
  ArchiveListing listing = list_zip(archive.file);
  select_folder(listing, archive.folder, archive.file.string());
  if (is_cifar_archive(listing)) {
    fail(ExitCode::usage, "{} contains CIFAR-10's binary batches: extract it and pack the folder",
         archive.file.string());
  }
  return index_zip(archive.file, listing, request);
}

SourceIndex index_archive(const ArchivePath& archive, const SourceRequest& request) {
  const std::string head = first_bytes(archive.file, 512);
  if (is_compressed(head) && archive.folder.empty()) return index_cifar_tar_gz(archive.file, request.split);
  if (is_compressed(head)) {
    fail(ExitCode::usage,
         "{} is compressed: unpack it first, for example with gunzip, and select {} in the tar",
         archive.file.string(), archive.folder);
  }
  if (is_empty_zip(head)) return {};
  if (looks_like_zip(head)) return index_zip_file(archive, request);
  if (!looks_like_tar(head)) {
    if (archive.file.extension() == ".zip") {
      fail(ExitCode::bad_data,
           "{} does not begin as a zip: download or copy it again (if it is the last of several "
           "parts, join them first: zip -s 0 FILE --out WHOLE)",
           archive.file.string());
    }
    const bool store = archive.file.filename() == "store.json" || head.starts_with("\x89HDF");
    fail(ExitCode::usage, "{} is {}; {}", archive.file.string(),
         store ? "part of a store, not a source of images" : "neither a folder nor a tar or zip",
         accepted_sources);
  }
  ArchiveListing listing = list_tar({archive.file, 0, fs::file_size(archive.file)});
  select_folder(listing, archive.folder, archive.file.string());
  if (is_cifar_archive(listing)) return index_cifar_tar(archive.file, listing, request.split);
  if (is_tar_of_tars(listing)) return index_tar_of_tars(archive.file, listing, request);
  return index_tar(archive.file, listing, request);
}

// The likely intention behind a folder with archives instead of images.
std::string advice_on_archives(const fs::path& folder) {
  if (!fs::is_directory(folder)) return {};
  std::vector<std::string> archives;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".tar" || entry.path().extension() == ".zip")
      archives.push_back(entry.path().string());
  if (archives.empty()) return {};
  std::ranges::sort(archives);
  if (archives.size() == 1) return fmt::format(" (did you mean {}?)", archives.front());
  return fmt::format(
      " (it contains {} archives, such as {}: if each tar is a class, pack the tar that contained them, or "
      "make one: tar -cf all.tar -C {} .)",
      archives.size(), archives.front(), folder.string());
}

[[noreturn]] void refuse_empty(const SourceIndex& index, const fs::path& path) {
  std::string advice = advice_on_archives(path);
  if (!index.archive_inside.empty())
    advice = fmt::format(" (extract {} from it and pack that)", index.archive_inside);
  fail(ExitCode::usage, "{} contains no images (.jpg, .jpeg, .png){}{}; {}", path.string(),
       index.ignored > 0 ? fmt::format(", only {} other files", index.ignored) : "", advice,
       accepted_sources);
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
  const std::string extension = lower_case(std::string(name.substr(dot + 1)));
  constexpr std::array<std::string_view, 16> known{"jpg",  "jpeg", "jpe",  "jfif", "png", "gif",
                                                   "bmp",  "webp", "tiff", "tif",  "ppm", "heic",
                                                   "heif", "avif", "jp2",  "jxl"};
  return std::ranges::find(known, extension) != known.end();
}

SourceIndex index_source(const fs::path& path, std::string_view split, int workers,
                         std::span<const std::string> known) {
  const SourceRequest request{path, split, workers, known};
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (type == fs::file_type::none) fail(ExitCode::io, "cannot read {}: {}", path.string(), error.message());
  SourceIndex index;
  if (type == fs::file_type::not_found || type == fs::file_type::regular) {
    const ArchivePath archive = split_archive_path(path);
    if (archive.file.empty()) fail(ExitCode::io, "{} does not exist; {}", path.string(), accepted_sources);
    index = index_archive(archive, request);
  } else if (type != fs::file_type::directory) {
    fail(ExitCode::usage, "{} is {}; {}", path.string(), file_type_text(type), accepted_sources);
  } else if (fs::exists(path / "store.json")) {
    fail(ExitCode::usage, "{} is already a store; {}", path.string(), accepted_sources);
  } else if (is_cifar_folder(path)) {
    index = index_cifar_folder(path, split);
  } else {
    index = index_folder(request);
  }
  if (index.items.empty()) refuse_empty(index, path);
  refuse_equal_names(index, path);
  return index;
}

SourceReader::SourceReader(const SourceIndex& index) : index_(index) {
  if (index.storage == SourceStorage::compressed_batches) {
    unpacked_ = unpack_cifar_tar_gz(index);
    return;
  }
  for (const std::string& file : index.files) files_.push_back(open_regular_file(file));
}

namespace {

std::vector<std::byte> read_file(const fs::path& path) {
  const FileDescriptor file = open_regular_file(path);
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
  if (!item.flaw.empty()) fail(ExitCode::bad_data, "{}", item.flaw);
  switch (index_.storage) {
    case SourceStorage::separate_files:
      return read_file(index_.root / item.name);
    case SourceStorage::zip_members:
      return unpack_zip_item(files_.at(item.file), item);
    case SourceStorage::parts_of_files:
    case SourceStorage::compressed_batches:
      break;
  }
  std::vector<std::byte> bytes(item.bytes);
  if (index_.storage == SourceStorage::parts_of_files) {
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
