// A store from a stranger: the text of store.json, a zero byte, and the bytes of a shard, which is read as
// the first shard of each split. The checksum of its structure is appended, so that HDF5 gets to see whatever
// is in it.

#include <algorithm>

#include "base/atomic_file.hpp"
#include "data/hdf5_file.hpp"
#include "data/metadata_checksum.hpp"
#include "data/shard_reader.hpp"
#include "data/small_store.hpp"
#include "fuzz/fuzz_target.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::fuzz {

namespace {

Seed seed_of(const std::string& name, const test::SmallStoreOptions& options) {
  const test::TemporaryFolder folder;
  const Store store = test::write_small_store(folder.path(), options);
  const SplitEntry& split = store.train ? *store.train : *store.val;
  return {name, read_text_file(folder / "store.json") + '\0' + read_text_file(folder / split.shards[0].file)};
}

void read_shard(const Store& store, const std::string& split, const std::filesystem::path& file,
                std::uint64_t bytes) {
  Store changed = store;
  changed.folder = file.parent_path();
  SplitEntry& entry = split == "train" ? *changed.train : *changed.val;
  if (entry.shards.empty()) return;
  entry.shards.resize(1);
  entry.shards[0].file = file.filename();
  entry.shards[0].bytes = bytes;
  const ShardReader reader(changed, split, 1);
  attempt([&] { reader.names(0); });
  reader.tables(0);
  constexpr std::int64_t most_images = 4;
  constexpr int largest_side = 64;
  if (changed.image_size > largest_side) return;
  const std::int64_t count = std::min(entry.shards[0].images, most_images);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count) * 3 * changed.image_size *
                                   changed.image_size);
  reader.read_checked(0, 0, count, pixels);
}

void read_mean(const Store& store, const std::filesystem::path& file) {
  const Hdf5File hdf5(file, Hdf5File::Access::read);
  for (const std::string& name : hdf5.children("/")) attempt([&] { hdf5.shape("/" + name); });
  if (store.image_size < 0) return;
  attempt([&] { hdf5.read<float>("/mean"); });
}

}  // namespace

std::vector<Seed> seeds() {
  return {seed_of("train", {.image_size = 4, .classes = 2, .train_shards = {2}, .val_shards = {}}),
          seed_of("val", {.image_size = 4, .classes = 2, .train_shards = {}, .val_shards = {3}}),
          seed_of("both", {.image_size = 4, .classes = 3, .train_shards = {2, 1}, .val_shards = {2}}),
          seed_of("chunked",
                  {.image_size = 4, .classes = 2, .train_shards = {2}, .val_shards = {}, .chunked = true})};
}

void read_input(std::string_view bytes) {
  const std::string_view text = take_text(bytes);
  const Store store = parse_store(text, "store");
  attempt([&] { parse_store(store_to_json(store), "store"); });
  const std::filesystem::path file = write_part("input.h5", bytes);
  attempt([&] { compare_metadata_checksum(file); });
  append_metadata_checksum(file, {});
  const std::uint64_t size = std::filesystem::file_size(file);
  for (const char* split : {"train", "val"})
    if ((std::string_view(split) == "train" ? store.train : store.val).has_value())
      attempt([&] { read_shard(store, split, file, size); });
  attempt([&] { read_mean(store, file); });
}

}  // namespace convoy::fuzz
