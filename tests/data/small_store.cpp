#include "data/small_store.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <fstream>

#include "base/atomic_file.hpp"
#include "base/crc32c.hpp"
#include "base/philox.hpp"
#include "data/fingerprint.hpp"
#include "data/hdf5_file.hpp"

namespace convoy::test {

namespace fs = std::filesystem;

namespace {

// Adds /images in gzip-compressed chunks of one image to a file that is closed.
void add_compressed_images(const fs::path& file, const std::vector<std::uint8_t>& pixels, hsize_t count,
                           hsize_t side) {
  const hsize_t shape[4] = {count, side, side, 3}, chunk[4] = {1, side, side, 3};
  const hid_t handle = H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(4, shape, nullptr);
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(properties, 4, chunk);
  H5Pset_deflate(properties, 4);
  const hid_t dataset =
      H5Dcreate2(handle, "/images", H5T_STD_U8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels.data());
  H5Dclose(dataset);
  H5Pclose(properties);
  H5Sclose(space);
  H5Fclose(handle);
}

struct SplitContent {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> crc32c;
  std::vector<std::string> names;
};

SplitContent make_content(const std::string& split, std::uint32_t first, std::int64_t count,
                          const SmallStoreOptions& options, Fingerprint& fingerprint) {
  SplitContent content;
  for (std::uint32_t id = first; id < first + count; ++id) {
    const std::vector<std::uint8_t> image = small_image(split, id, options.image_size);
    content.pixels.insert(content.pixels.end(), image.begin(), image.end());
    content.labels.push_back(small_label(split, id, options.classes));
    content.crc32c.push_back(crc32c(std::as_bytes(std::span(image))));
    content.names.push_back(small_name(split, id));
    fingerprint.add_image(content.names.back(), content.labels.back(), content.crc32c.back());
  }
  return content;
}

SplitEntry write_split(const Store& store, const std::string& split, const std::vector<std::int64_t>& sizes,
                       const SmallStoreOptions& options, Fingerprint& fingerprint) {
  SplitEntry entry;
  const auto side = static_cast<std::uint64_t>(options.image_size);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto count = static_cast<std::uint64_t>(sizes[i]);
    const SplitContent content =
        make_content(split, static_cast<std::uint32_t>(entry.images), sizes[i], options, fingerprint);
    ShardEntry shard;
    shard.file = fmt::format("{}-{:05}-of-{:05}.h5", split, i, sizes.size());
    shard.images = sizes[i];
    Hdf5File file(store.folder / shard.file, Hdf5File::Access::create);
    if (!options.chunked) {
      shard.images_offset = file.reserve<std::uint8_t>("/images", {count, side, side, 3});
      file.write_rows<std::uint8_t>("/images", 0, count, content.pixels);
    }
    shard.labels_offset = file.reserve<std::int32_t>("/labels", {count});
    file.write_rows<std::int32_t>("/labels", 0, count, content.labels);
    shard.crc32c_offset = file.reserve<std::uint32_t>("/crc32c", {count});
    file.write_rows<std::uint32_t>("/crc32c", 0, count, content.crc32c);
    file.write_strings("/names", content.names);
    file.set_attribute("/", "format", "convoy-store");
    file.set_attribute("/", "version", std::int64_t{1});
    file.set_attribute("/", "split", split);
    file.set_attribute("/", "shard", static_cast<std::int64_t>(i));
    file.set_attribute("/", "shards", static_cast<std::int64_t>(sizes.size()));
    file.set_attribute("/", "classes_crc32c", classes_checksum(store.classes));
    file.close_with_checksum();
    if (options.chunked) add_compressed_images(store.folder / shard.file, content.pixels, count, side);
    shard.bytes = fs::file_size(store.folder / shard.file);
    entry.images += sizes[i];
    entry.shards.push_back(shard);
  }
  return entry;
}

}  // namespace

std::vector<std::uint8_t> small_image(const std::string& split, std::uint32_t id, int image_size) {
  std::vector<std::uint8_t> image(static_cast<std::size_t>(3 * image_size * image_size));
  for (std::size_t i = 0; i < image.size(); ++i) {
    const PhiloxBlock bits =
        philox(split == "train" ? 1 : 2, {{id, static_cast<std::uint32_t>(i / 16), 0, 0}});
    image[i] = static_cast<std::uint8_t>(bits.word[i / 4 % 4] >> (8 * (i % 4)));
  }
  return image;
}

std::int32_t small_label(const std::string& split, std::uint32_t id, int classes) {
  return static_cast<std::int32_t>((id * 7 + (split == "train" ? 0 : 3)) %
                                   static_cast<std::uint32_t>(classes));
}

std::string small_name(const std::string& split, std::uint32_t id) {
  return fmt::format("{}/bild-{}-ß.jpg", split, id);
}

Store write_small_store(const fs::path& folder, const SmallStoreOptions& options) {
  fs::create_directories(folder);
  Store store;
  store.folder = folder;
  store.image_size = options.image_size;
  for (int i = 0; i < options.classes; ++i)
    store.classes.push_back({fmt::format("n{:04}", i), fmt::format("class {}, été", i)});
  Fingerprint fingerprint;
  if (!options.train_shards.empty()) {
    store.train = write_split(store, "train", options.train_shards, options, fingerprint);
    store.statistics = Statistics{
        {120, 110, 100},
        {60, 61, 62},
        {3000, 200, 50},
        {{0.6, 0.6, 0.529150262212918}, {-0.8, 0.5, 0.331662479035540}, {0.1, -0.6, 0.793725393319377}}};
    const auto side = static_cast<std::uint64_t>(options.image_size);
    Hdf5File mean(folder / "mean.h5", Hdf5File::Access::create);
    mean.write<float>("/mean", std::vector<float>(3 * side * side, 110.5F), {3, side, side});
    mean.close();
  }
  if (!options.val_shards.empty())
    store.val = write_split(store, "val", options.val_shards, options, fingerprint);
  fingerprint.add_classes(store.classes);
  store.fingerprint = fingerprint.text();
  write_file_atomically(folder / "store.json", store_to_json(store));
  return store;
}

void damage_byte(const fs::path& file, std::uint64_t offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  const auto byte = static_cast<char>(stream.get() ^ 0x10);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(byte);
}

}  // namespace convoy::test
