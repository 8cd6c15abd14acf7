// The kinds of sources, one function each; source.cpp selects one.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "data/source.hpp"
#include "data/tar_file.hpp"

namespace convoy {

// A folder of class folders (or of images without classes), symbolic links followed, listed in one pass.
SourceIndex index_folder(const std::filesystem::path& folder);

// A tar of class folders (or of images without classes): "class/…/x.jpg". If all images are in folders below
// a single folder ("imagenet/n01440764/x.jpg"), that folder's folders are the classes.
SourceIndex index_tar(const std::filesystem::path& path, const std::vector<TarMember>& members);

// Whether these members make the tar a tar of tars, one per class, such as ILSVRC2012_img_train.tar.
bool is_tar_of_tars(const std::vector<TarMember>& members);
// Names are the same as after unpacking into one folder per class: "n01440764/n01440764_10026.JPEG".
SourceIndex index_tar_of_tars(const std::filesystem::path& path, const std::vector<TarMember>& members,
                              int workers);

// CIFAR-10's binary version: a folder or tar with data_batch_*.bin, test_batch.bin and batches.meta.txt, or
// the tar.gz as distributed. The functions with `is_` check only names.
bool is_cifar_folder(const std::filesystem::path& folder);
SourceIndex index_cifar_folder(const std::filesystem::path& folder, std::string_view split);
bool is_cifar_tar(const std::vector<TarMember>& members);
SourceIndex index_cifar_tar(const std::filesystem::path& path, const std::vector<TarMember>& members,
                            std::string_view split);
SourceIndex index_cifar_tar_gz(const std::filesystem::path& path, std::string_view split);
// The image records of the batches in a tar.gz, in the order of the offsets of index_cifar_tar_gz.
std::vector<std::byte> unpack_cifar_tar_gz(const SourceIndex& index);

// Sets the unique classes in the order of class_order.hpp, and the items' labels from the class id of each
// (parallel to index.items; "" for none). Defined in class_order.cpp.
void assign_classes(SourceIndex& index, const std::vector<std::string>& class_of_item);

}  // namespace convoy
