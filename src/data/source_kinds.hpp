// The kinds of sources, one function each; source.cpp chooses among them.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "data/source.hpp"
#include "data/tar_file.hpp"

namespace convoy {

// A folder of class folders (or of images without classes), symbolic links followed, listed in one pass.
SourceIndex index_folder(const std::filesystem::path& folder);

// A tar of class folders (or of images without classes): "class/…/x.jpg". When all images lie in folders
// below one single folder ("imagenet/n01440764/x.jpg"), classes are that one's folders.
SourceIndex index_tar(const std::filesystem::path& path, const std::vector<TarMember>& members);

// Whether these members make the tar a tar of tars, one a class, as ILSVRC2012_img_train.tar is.
bool is_tar_of_tars(const std::vector<TarMember>& members);
// Names are those that unpacking into a folder a class would give: "n01440764/n01440764_10026.JPEG".
SourceIndex index_tar_of_tars(const std::filesystem::path& path, const std::vector<TarMember>& members,
                              int workers);

// CIFAR-10's binary version: a folder or tar with data_batch_*.bin, test_batch.bin and batches.meta.txt, or
// the tar.gz as distributed. The functions with `is_` look at names alone.
bool is_cifar_folder(const std::filesystem::path& folder);
SourceIndex index_cifar_folder(const std::filesystem::path& folder, std::string_view split);
bool is_cifar_tar(const std::vector<TarMember>& members);
SourceIndex index_cifar_tar(const std::filesystem::path& path, const std::vector<TarMember>& members,
                            std::string_view split);
SourceIndex index_cifar_tar_gz(const std::filesystem::path& path, std::string_view split);
// The image records of the batches in a tar.gz, in the order that index_cifar_tar_gz counts offsets in.
std::vector<std::byte> unpack_cifar_tar_gz(const SourceIndex& index);

// Sorted, each once; sets the items' labels from the class id of each (parallel to index.items; "" for none).
void assign_classes(SourceIndex& index, const std::vector<std::string>& class_of_item);

}  // namespace convoy
