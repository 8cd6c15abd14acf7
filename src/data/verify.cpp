#include "data/verify.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/partition.hpp"
#include "data/fingerprint.hpp"
#include "data/shard_reader.hpp"

namespace convoy {

namespace {

// One part's check of the store.
class Verifier {
 public:
  Verifier(const Store& store, Range part, const VerifyProgress& progress)
      : store_(store), part_(part), progress_(progress) {}

  // The images of `split`, whose first image has number `before` in the store.
  void check_split(const std::string& split, std::int64_t before) {
    const ShardReader reader(store_, split);
    for (std::size_t i = 0; i < reader.shards().size(); ++i) {
      const std::int64_t count = reader.shards()[i].images;
      const Range mine{std::clamp<std::int64_t>(part_.begin - before, 0, count),
                       std::clamp<std::int64_t>(part_.end - before, 0, count)};
      // The part with the first image reports on the file as a whole (for an empty file, the store's first
      // part).
      const bool reports_file = count > 0 ? mine.begin == 0 && mine.size() > 0 : part_.begin == 0;
      if (mine.size() > 0 || reports_file) check_shard(reader, split, i, mine, reports_file);
      before += count;
    }
  }

  // The checks of the store as a whole.
  void check_whole() {
    recompute_fingerprint();
    if (!report_.fingerprint.empty() && report_.fingerprint != store_.fingerprint)
      add_whole(
          "store.json",
          fmt::format("the fingerprint is {}, store.json says {}: names, labels, checksums or classes have "
                      "changed",
                      report_.fingerprint, store_.fingerprint));
    if (!store_.train) return;
    if (!store_.statistics) add_whole("store.json", "has a training split but no statistics");
    try {
      read_mean_image(store_);
    } catch (const Error& error) {
      add_error({"", "mean.h5", -1, "", ""}, error);
    }
  }

  VerifyReport take_report() { return std::move(report_); }

 private:
  void add_whole(const std::string& file, const std::string& reason) {
    report_.bad.push_back({"", file, -1, "", reason});
  }

  // Adds what `error` says about a file of the store, or about one image of it.
  void add_error(BadRecord record, const Error& error) {
    std::error_code ignored;
    record.reason = error.what();
    record.unreadable =
        error.category() == ExitCode::io && std::filesystem::exists(store_.folder / record.file, ignored);
    report_.bad.push_back(std::move(record));
  }

  void check_shard(const ShardReader& reader, const std::string& split, std::size_t shard, Range mine,
                   bool reports_file) {
    const std::string& file = reader.shards()[shard].file;
    std::vector<std::string> names;
    try {
      reader.tables(shard);
      names = reader.names(shard);
    } catch (const Error& error) {
      if (reports_file) add_error({split, file, -1, "", ""}, error);
      return;
    }
    const std::size_t image_bytes = std::size_t{3} * store_.image_size * store_.image_size;
    const std::int64_t at_once =
        std::max<std::int64_t>(1, (8 << 20) / static_cast<std::int64_t>(image_bytes));
    pixels_.resize(static_cast<std::size_t>(at_once) * image_bytes);
    for (std::int64_t first = mine.begin; first < mine.end; first += at_once) {
      const std::int64_t count = std::min(at_once, mine.end - first);
      check_images(reader, split, shard, names, {first, first + count});
      report_.images += count;
      if (progress_) progress_(report_.images, part_.size());
    }
  }

  void check_images(const ShardReader& reader, const std::string& split, std::size_t shard,
                    const std::vector<std::string>& names, Range range) {
    const std::string& file = reader.shards()[shard].file;
    try {
      for (const DamagedImage& image : reader.read_checked(shard, range.begin, range.size(), pixels_)) {
        report_.bad.push_back({split, file, image.index, names[static_cast<std::size_t>(image.index)],
                               fmt::format("checksum {:08x}, expected {:08x}", image.found, image.expected)});
      }
    } catch (const Error& error) {
      // Find the images that cannot be read.
      if (range.size() == 1) {
        add_error({split, file, range.begin, names[static_cast<std::size_t>(range.begin)], ""}, error);
        return;
      }
      for (std::int64_t i = range.begin; i < range.end; ++i)
        check_images(reader, split, shard, names, {i, i + 1});
    }
  }

  // Leaves it empty if some metadata cannot be read; check_split reports it.
  void recompute_fingerprint() {
    Fingerprint fingerprint;
    try {
      for (const char* split : {"train", "val"}) {
        if (split == std::string_view("train") ? !store_.train : !store_.val) continue;
        const ShardReader reader(store_, split);
        for (std::size_t i = 0; i < reader.shards().size(); ++i) {
          const ShardTables& tables = reader.tables(i);
          const std::vector<std::string> names = reader.names(i);
          for (std::size_t k = 0; k < names.size(); ++k)
            fingerprint.add_image(names[k], tables.labels[k], tables.crc32c[k]);
        }
      }
    } catch (const Error&) {
      return;
    }
    fingerprint.add_classes(store_.classes);
    report_.fingerprint = fingerprint.text();
  }

  const Store& store_;
  Range part_;
  const VerifyProgress& progress_;
  VerifyReport report_;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace

VerifyReport verify_store(const Store& store, int part, int parts, const VerifyProgress& progress) {
  const std::int64_t train_images = store.train ? store.train->images : 0;
  const std::int64_t val_images = store.val ? store.val->images : 0;
  Verifier verifier(store, part_of(train_images + val_images, parts, part), progress);
  if (part == 0) verifier.check_whole();
  if (store.train) verifier.check_split("train", 0);
  if (store.val) verifier.check_split("val", train_images);
  return verifier.take_report();
}

}  // namespace convoy
