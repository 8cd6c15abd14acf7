#include "data/store_catalogue.hpp"

#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "data/fingerprint.hpp"
#include "data/hdf5_file.hpp"
#include "data/shard_writer.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

ShardEntry entry_of(const fs::path& path) {
  const Hdf5File file(path, Hdf5File::Access::read);
  ShardEntry entry;
  entry.file = path.filename().string();
  entry.images = static_cast<std::int64_t>(file.shape("/labels").at(0));
  entry.bytes = fs::file_size(path);
  entry.images_offset = file.contiguous_offset<std::uint8_t>("/images");
  entry.labels_offset = file.contiguous_offset<std::int32_t>("/labels");
  entry.crc32c_offset = file.contiguous_offset<std::uint32_t>("/crc32c");
  return entry;
}

SplitEntry collect_split(const SplitPlan& plan) {
  SplitEntry split;
  for (int index = 0; index < plan.shards(); ++index) {
    split.shards.push_back(entry_of(plan.shard_path(index)));
    split.images += split.shards.back().images;
  }
  return split;
}

void add_split(Fingerprint& fingerprint, const Store& store, const std::optional<SplitEntry>& split) {
  if (!split) return;
  for (const ShardEntry& shard : split->shards) {
    const Hdf5File file(store.folder / shard.file, Hdf5File::Access::read);
    const auto names = file.read_strings("/names");
    const auto labels = file.read<std::int32_t>("/labels");
    const auto checksums = file.read<std::uint32_t>("/crc32c");
    if (names.size() != labels.size() || names.size() != checksums.size())
      fail(ExitCode::bad_data, "{}: names, labels and checksums differ in number", file.path().string());
    for (std::size_t i = 0; i < names.size(); ++i) fingerprint.add_image(names[i], labels[i], checksums[i]);
  }
}

std::string fingerprint_of(const Store& store) {
  Fingerprint fingerprint;
  add_split(fingerprint, store, store.train);
  add_split(fingerprint, store, store.val);
  fingerprint.add_classes(store.classes);
  return fingerprint.text();
}

void write_skipped_list(const Store& store) {
  std::string lines;
  const auto add = [&](const char* split, const std::optional<SplitEntry>& entry) {
    if (!entry) return;
    for (const ShardEntry& shard : entry->shards) {
      for (const BadImage& image : skipped_in_shard(store.folder / shard.file)) {
        const nlohmann::ordered_json line{{"name", image.name}, {"reason", image.reason}, {"split", split}};
        // Names are arbitrary bytes; invalid UTF-8 in them is replaced.
        lines += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
      }
    }
  };
  add("train", store.train);
  add("val", store.val);
  const fs::path path = store.folder / "skipped.jsonl";
  std::error_code ignored;
  if (lines.empty())
    fs::remove(path, ignored);
  else
    write_file_atomically(path, lines);
}

void write_mean_image(const fs::path& path, const PixelSums& sums) {
  PartialFile partial(path);
  const auto side = static_cast<std::uint64_t>(sums.side);
  const std::vector<float> mean = mean_image_of(sums);
  Hdf5File file(partial.path(), Hdf5File::Access::create);
  file.write<float>("/mean", mean, {3, side, side});
  file.close();
  partial.publish();
}

}  // namespace

Store write_catalogue(const SplitPlan& plan, const std::optional<Store>& before, const PixelSums& sums) {
  Store store = before.value_or(Store{});
  store.folder = plan.folder;
  store.image_size = plan.image_size;
  store.fit = plan.fit;
  store.classes = plan.classes;
  (plan.split == "train" ? store.train : store.val) = collect_split(plan);
  store.fingerprint = fingerprint_of(store);
  if (plan.split == "train") {
    store.statistics = statistics_of(sums);
    write_mean_image(plan.folder / "mean.h5", sums);
  }
  write_skipped_list(store);
  write_file_atomically(plan.folder / "store.json", store_to_json(store));
  return store;
}

}  // namespace convoy
