// Where pack takes images from: an image folder, a tar of class folders, the ILSVRC2012 tars as distributed,
// CIFAR-10's binary batches. A source is first indexed (names, labels, where the bytes lie: plain data, made
// on rank 0 and sent to all), so that the order of images and everybody's share are known before the first
// one is read; then a SourceReader fetches single images, from many threads. Archives are read in place,
// nothing is extracted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.hpp"
#include "data/decode.hpp"

namespace convoy {

enum class SourceEncoding {
  image_file,    // the bytes of an item are a JPEG or PNG
  cifar_planes,  // 3072 bytes: 32 × 32 red, then green, then blue
};

struct SourceItem {
  std::string name;          // as stored in /names: the path below the source, "/" between its parts
  std::int32_t label = -1;   // index into SourceIndex::classes; -1: in no class folder
  std::uint32_t file = 0;    // index into SourceIndex::files
  std::uint64_t offset = 0;  // of the item's bytes in that file
  std::uint64_t bytes = 0;   // how many
};

struct SourceIndex {
  std::string kind;  // for messages: "image folder", "ILSVRC2012 training tar", …
  SourceEncoding encoding = SourceEncoding::image_file;
  // Archives that hold the items. Empty: each item is a file of its own, `root`/name.
  std::vector<std::string> files;
  bool compressed =
      false;  // the one file is CIFAR's tar.gz: offsets count in its batches, unpacked, in order
  std::filesystem::path root;
  std::vector<std::string> classes;  // ids, sorted by bytes
  std::vector<SourceItem> items;     // in no special order, names all different
  std::int64_t ignored = 0;          // files that are no images
};

// Looks at what `path` is (by content, not by name) and lists the images of `split` ("train" or "val"; it
// matters for CIFAR alone, whose folder holds both). `workers` threads look into the tars of a tar of tars.
// Throws ExitCode::usage for what is no source, saying what it is and what to do; ExitCode::bad_data for a
// damaged archive; ExitCode::io.
SourceIndex index_source(const std::filesystem::path& path, std::string_view split, int workers);

// Fetches images of an index. Safe to use from many threads.
class SourceReader {
 public:
  explicit SourceReader(const SourceIndex& index);  // `index` must live as long; throws ExitCode::io

  // The item's centre square, side × side × 3. Throws ExitCode::bad_data (reason alone) for an image that
  // cannot be used, ExitCode::io when it cannot be read.
  void read_square(const SourceItem& item, int side, std::span<std::uint8_t> square) const;

 private:
  std::vector<std::byte> read_bytes(const SourceItem& item) const;

  const SourceIndex& index_;
  std::vector<FileDescriptor> files_;  // by number in the index
  std::vector<std::byte> unpacked_;
};

// Whether a file's name says that it is an image (JPEG, PNG, or a kind that will be refused by name rather
// than passed over in silence). Hidden files are not.
bool named_like_image(std::string_view path);

}  // namespace convoy
