// The kinds of sources, one function each; source.cpp selects one.
#pragma once

#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sources/source.hpp"
#include "sources/tar_file.hpp"

namespace convoy {

struct SourceRequest {
  std::filesystem::path path;  // as the user gave it: perhaps a folder in an archive
  std::string_view split;      // "train" or "val"
  int workers = 1;
  std::span<const std::string> known{};  // the classes that are already fixed
};

// A folder of class folders (or of images without classes), symbolic links followed, listed in one pass.
SourceIndex index_folder(const SourceRequest& request);

// A tar or zip of class folders (or of images without classes): "class/.../x.jpg". `file`: the archive;
// `listing`: its selected members.
SourceIndex index_tar(const std::filesystem::path& file, const ArchiveListing& listing,
                      const SourceRequest& request);
SourceIndex index_zip(const std::filesystem::path& file, const ArchiveListing& listing,
                      const SourceRequest& request);

// Whether these members make the tar a tar of tars, one per class, such as ILSVRC2012_img_train.tar.
bool is_tar_of_tars(const ArchiveListing& listing);
// Names are the same as after unpacking into one folder per class: "n01440764/n01440764_10026.JPEG".
SourceIndex index_tar_of_tars(const std::filesystem::path& file, const ArchiveListing& listing,
                              const SourceRequest& request);

// CIFAR-10's binary version: a folder or tar with data_batch_*.bin, test_batch.bin and batches.meta.txt, or
// the tar.gz as distributed. The functions with `is_` check only names.
bool is_cifar_folder(const std::filesystem::path& folder);
SourceIndex index_cifar_folder(const std::filesystem::path& folder, std::string_view split);
bool is_cifar_archive(const ArchiveListing& listing);
SourceIndex index_cifar_tar(const std::filesystem::path& file, const ArchiveListing& listing,
                            std::string_view split);
SourceIndex index_cifar_tar_gz(const std::filesystem::path& path, std::string_view split);
// The image records of the batches in a tar.gz, in the order of the offsets of index_cifar_tar_gz.
std::vector<std::byte> unpack_cifar_tar_gz(const SourceIndex& index);

// Finds the class of each item in its name: the folder below those that all items share
// ("imagenet/n01440764/x.jpg"), or the last shared folder if it contains images itself or is one of the known
// classes. An item beside several class folders has no class. Sets classes and labels. `folders`: all folders
// of the source, in order to name those without an image. Throws ExitCode::usage if the folders are splits of
// a data set instead of classes.
void find_classes(SourceIndex& index, const std::set<std::string>& folders, const SourceRequest& request);

// Adds a warning about folders or tars without an image, which do not become classes.
void warn_of_empty_classes(SourceIndex& index, const std::vector<std::string>& empty,
                           const SourceRequest& request);

// Sets the unique classes in the order of class_order.hpp, and the items' labels from the class id of each
// (parallel to index.items; "" for none). Defined in class_order.cpp.
void assign_classes(SourceIndex& index, const std::vector<std::string>& class_of_item);

}  // namespace convoy
