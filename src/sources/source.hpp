// The sources of pack: an image folder, a tar or zip of class folders, a folder in one of them, the
// ILSVRC2012 tars as distributed, CIFAR-10's binary batches. A source is first indexed (names, labels,
// positions of the bytes: plain data, created on rank 0 and sent to all), so that the order of images and
// each rank's share are known before the first image is read; then a SourceReader reads single images, from
// many threads. Archives are read in place, without extracting them.
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

// Where the bytes of the items are.
enum class SourceStorage {
  separate_files,      // each item is the file `root`/name
  parts_of_files,      // of a tar or a CIFAR-10 batch
  zip_members,         // perhaps deflated
  compressed_batches,  // CIFAR-10's tar.gz: offsets refer to its batches, unpacked, in order
};

struct SourceItem {
  std::string name;          // as stored in /names: the path below the source, "/" between its parts
  std::int32_t label = -1;   // index into SourceIndex::classes; -1: not in a class folder
  std::uint32_t file = 0;    // index into SourceIndex::files
  std::uint64_t offset = 0;  // of the item's bytes in that file; of a zip's member: of its header
  std::uint64_t bytes = 0;   // number of bytes
  // Of a zip's member: its bytes as stored, and their checksum when unpacked.
  std::uint64_t packed_bytes = 0;
  std::uint32_t crc32 = 0;
  bool deflated = false;
  // Why the item cannot be read, known already from the list ("is a FIFO (named pipe), not a file"); empty if
  // it can.
  std::string flaw{};
};

struct SourceIndex {
  std::string kind;  // for messages: "image folder", "ILSVRC2012 training tar", …
  SourceEncoding encoding = SourceEncoding::image_file;
  SourceStorage storage = SourceStorage::separate_files;
  std::vector<std::string> files;  // that contain the items
  std::filesystem::path root;
  std::vector<std::string> classes;   // ids, in label order
  std::vector<SourceItem> items;      // in any order, all names different
  std::int64_t ignored = 0;           // files that are not images
  std::string class_folder;           // the folder that contains the class folders; "" if it is the source
  std::string archive_inside;         // an archive among the ignored files; "" if there is none
  std::vector<std::string> warnings;  // whole sentences for the user
};

// Detects the type of `path` (from its content, not its name) and lists the images of `split` ("train" or
// "val": CIFAR's folder contains both). A path may go on inside a tar or zip ("set.zip/images/val"): then
// only that folder is the source. `workers` threads read the tars of a tar of tars. `known`: the classes that
// are already fixed; a folder with such a name is a class even if it contains all images.
// Throws ExitCode::usage for an unsupported source, with its type and a remedy; ExitCode::bad_data for a
// damaged archive; ExitCode::io.
SourceIndex index_source(const std::filesystem::path& path, std::string_view split, int workers,
                         std::span<const std::string> known = {});

// Reads images of an index. Thread-safe.
class SourceReader {
 public:
  explicit SourceReader(const SourceIndex& index);  // `index` must outlive it; throws ExitCode::io

  // The item fitted into side × side × 3 values. Throws ExitCode::bad_data (only the reason) for an image
  // that cannot be used or has a flaw, ExitCode::io if it cannot be read.
  void read_square(const SourceItem& item, int side, std::span<std::uint8_t> square,
                   Fit fit = Fit::cut) const;

 private:
  std::vector<std::byte> read_bytes(const SourceItem& item) const;

  const SourceIndex& index_;
  std::vector<FileDescriptor> files_;  // by number in the index
  std::vector<std::byte> unpacked_;
};

// Whether a file has the name of an image (JPEG, PNG, or a type that is rejected by name instead of being
// ignored silently). Hidden files do not count.
bool named_like_image(std::string_view path);

}  // namespace convoy
