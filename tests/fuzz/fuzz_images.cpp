// Images from a stranger: a JPEG or PNG alone, or a tar or zip of them, listed and read as pack does. The
// sums of a tar's headers are corrected.

#include "data/decode.hpp"
#include "data/image_files.hpp"
#include "fuzz/fuzz_target.hpp"
#include "sources/source.hpp"

namespace convoy::fuzz {

namespace {

using test::ArchiveEntry;
using Kind = ArchiveEntry::Kind;

constexpr int side = 8;

test::Quadrants small_picture() {
  test::Quadrants picture;
  picture.width = 17, picture.height = 12;
  return picture;
}

std::vector<ArchiveEntry> entries() {
  const std::string png = test::png_bytes(small_picture());
  return {{Kind::folder, "set/empty", ""},
          {Kind::file, "set/a/1.png", png},
          {Kind::file, "set/b/2.jpg", test::jpeg_bytes(small_picture())},
          {Kind::symbolic_link, "set/b/3.png", "../a/1.png"}};
}

void add_archives(std::vector<Seed>& all) {
  std::vector<ArchiveEntry> list = entries();
  all.push_back({"zip-deflate", test::zip_of(list)});
  all.push_back({"zip-store", test::zip_of(list, "compression=store")});
  const std::string inner = test::tar_bytes({{"1.png", list[1].content}});
  list.push_back({Kind::hard_link, "set/b/4.png", "set/a/1.png"});
  all.push_back({"tar", test::tar_of(list)});
  all.push_back({"tar-of-tars", test::tar_bytes({{"n01.tar", inner}, {"n02.tar", inner}})});
}

void decode(std::string_view bytes) {
  const auto data = std::as_bytes(std::span(bytes));
  std::vector<std::uint8_t> square(std::size_t{3} * side * side);
  for (const Fit fit : {Fit::cut, Fit::warp, Fit::pad})
    attempt([&] { decode_square(data, side, fit, square); });
  attempt([&] { decode_upright(data, side); });
}

void read_archive(std::string_view bytes) {
  constexpr std::size_t most_items = 8;
  const SourceIndex index = index_source(file_of(with_tar_sums(bytes)), "train", 1);
  const SourceReader reader(index);
  std::vector<std::uint8_t> square(std::size_t{3} * side * side);
  for (std::size_t i = 0; i < std::min(most_items, index.items.size()); ++i)
    attempt([&] { reader.read_square(index.items[i], side, square); });
}

}  // namespace

std::vector<Seed> seeds() {
  using test::JpegKind;
  using test::PngKind;
  std::vector<Seed> all;
  const test::Quadrants picture = small_picture();
  for (int kind = 0; kind <= static_cast<int>(JpegKind::icc_profile); ++kind)
    all.push_back({"jpeg-" + std::to_string(kind),
                   test::jpeg_bytes(picture, static_cast<JpegKind>(kind), kind % 2 * 6)});
  for (int kind = 0; kind <= static_cast<int>(PngKind::interlaced); ++kind)
    all.push_back({"png-" + std::to_string(kind), test::png_bytes(picture, static_cast<PngKind>(kind))});
  add_archives(all);
  return all;
}

void read_input(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xD8") || bytes.starts_with("\x89PNG")) return decode(bytes);
  read_archive(bytes);
}

}  // namespace convoy::fuzz
