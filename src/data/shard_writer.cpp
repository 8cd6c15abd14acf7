#include "data/shard_writer.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <set>

#include "base/atomic_file.hpp"
#include "base/crc32c.hpp"
#include "base/error.hpp"
#include "data/hdf5_file.hpp"
#include "data/parallel_for.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t chunk_bytes = 64 << 20;  // of pixels in memory at a time

// Images decoded together: enough to keep all workers busy, within the memory limit.
std::int64_t chunk_images(const SplitPlan& plan) {
  const auto bound = static_cast<std::int64_t>(std::max<std::size_t>(1, chunk_bytes / plan.image_bytes()));
  return std::min<std::int64_t>(bound, std::int64_t{plan.workers} * 64);
}

std::uint32_t checksum(std::span<const std::uint8_t> pixels) {
  return crc32c(std::as_bytes(pixels));
}

void set_attributes(Hdf5File& file, const SplitPlan& plan, int index) {
  file.set_attribute("/", "format", "convoy-store");
  file.set_attribute("/", "version", std::int64_t{1});
  file.set_attribute("/", "split", plan.split);
  file.set_attribute("/", "shard", std::int64_t{index});
  file.set_attribute("/", "shards", std::int64_t{plan.shards()});
  file.set_attribute("/", "classes_crc32c", classes_checksum(plan.classes));
  file.set_attribute("/", "binding", plan.binding);
}

void write_skipped(Hdf5File& file, const std::vector<BadImage>& skipped) {
  if (skipped.empty()) return;
  std::vector<std::string> names, reasons;
  for (const BadImage& image : skipped) {
    names.push_back(image.name);
    reasons.push_back(image.reason);
  }
  file.create_group("/skipped");
  file.write_strings("/skipped/names", names);
  file.write_strings("/skipped/reasons", reasons);
}

// One attempt to write a shard with the images at `positions`.
class ShardAttempt {
 public:
  ShardAttempt(const SplitPlan& plan, int index, std::vector<std::int64_t> positions)
      : plan_(plan),
        positions_(std::move(positions)),
        partial_(plan.shard_path(index)),
        file_(partial_.path(), Hdf5File::Access::create),
        checksums_(positions_.size()),
        sums_(plan.image_size) {
    set_attributes(file_, plan, index);
    const auto side = static_cast<std::uint64_t>(plan.image_size);
    file_.reserve<std::uint8_t>("/images", {positions_.size(), side, side, 3});
  }

  // Decodes and writes. After the first bad image nothing more is written; the rest is only checked for bad
  // images.
  void run(const ImageProducer& produce, const std::function<void(std::int64_t)>& progress) {
    const std::int64_t chunk = chunk_images(plan_), count = static_cast<std::int64_t>(positions_.size());
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(std::min(chunk, count)) * plan_.image_bytes());
    for (std::int64_t first = 0; first < count; first += chunk) {
      const std::int64_t rows = std::min(chunk, count - first);
      parallel_for(rows, plan_.workers, [&](std::int64_t row) { decode(first + row, row, produce, pixels); });
      progress(rows);
      if (!bad_.empty()) {
        if (!plan_.skip_bad && bad_.size() >= most_listed) return;
        continue;
      }
      const auto used =
          std::span<const std::uint8_t>(pixels).first(static_cast<std::size_t>(rows) * plan_.image_bytes());
      file_.write_rows<std::uint8_t>("/images", first, rows, used);
      sums_.add(used, plan_.workers);
    }
  }

  void publish(const std::vector<BadImage>& skipped) {
    std::vector<std::int32_t> labels;
    std::vector<std::string> names;
    for (const std::int64_t position : positions_) {
      labels.push_back(plan_.labels[static_cast<std::size_t>(position)]);
      names.push_back(plan_.names[static_cast<std::size_t>(position)]);
    }
    file_.write<std::int32_t>("/labels", labels, {labels.size()});
    file_.write<std::uint32_t>("/crc32c", checksums_, {checksums_.size()});
    file_.write_strings("/names", names);
    write_skipped(file_, skipped);
    file_.close_with_checksum();
    partial_.publish();
  }

  // Positions and reasons of the bad images found, in stored order.
  const std::map<std::int64_t, std::string>& bad() const { return bad_; }
  const PixelSums& sums() const { return sums_; }

 private:
  void decode(std::int64_t index, std::int64_t row, const ImageProducer& produce,
              std::span<std::uint8_t> pixels) {
    const std::int64_t position = positions_[static_cast<std::size_t>(index)];
    const auto square =
        pixels.subspan(static_cast<std::size_t>(row) * plan_.image_bytes(), plan_.image_bytes());
    try {
      produce(position, square);
      checksums_[static_cast<std::size_t>(index)] = checksum(square);
    } catch (const Error& error) {
      if (error.category() != ExitCode::bad_data) throw;
      const std::lock_guard guard(lock_);
      bad_[position] = error.what();
    }
  }

  const SplitPlan& plan_;
  std::vector<std::int64_t> positions_;
  PartialFile partial_;
  Hdf5File file_;
  std::vector<std::uint32_t> checksums_;
  PixelSums sums_;
  std::mutex lock_;
  std::map<std::int64_t, std::string> bad_;
};

}  // namespace

ShardResult write_shard(const SplitPlan& plan, int index, const ImageProducer& produce, PixelSums& sums,
                        const std::function<void(std::int64_t)>& progress) {
  const Range range = plan.shard(index);
  std::map<std::int64_t, std::string> bad;
  ShardResult result;
  const auto list_bad = [&] {
    for (const auto& [position, reason] : bad)
      result.bad.push_back({plan.names[static_cast<std::size_t>(position)], reason});
  };
  for (bool first = true;; first = false) {
    std::vector<std::int64_t> positions;
    for (std::int64_t position = range.begin; position < range.end; ++position)
      if (!bad.contains(position)) positions.push_back(position);
    if (positions.empty()) {
      fail(ExitCode::bad_data, "none of the {} images of {} can be used, the first one, {}: {}", range.size(),
           plan.shard_file(index), plan.names[static_cast<std::size_t>(range.begin)], bad.begin()->second);
    }
    ShardAttempt attempt(plan, index, std::move(positions));
    attempt.run(produce, [&](std::int64_t images) {
      if (first) progress(images);
    });
    bad.insert(attempt.bad().begin(), attempt.bad().end());
    if (attempt.bad().empty()) {
      list_bad();
      attempt.publish(result.bad);
      sums.merge(attempt.sums());
      result.published = true;
      return result;
    }
    if (!plan.skip_bad) {
      list_bad();
      return result;
    }
  }
}

namespace {

// Throws an Error that states how the shard differs from the plan.
void require(bool condition, const char* what) {
  if (!condition) throw Error(ExitCode::bad_data, what);
}

void check_attributes(const Hdf5File& file, const SplitPlan& plan, int index) {
  require(file.has_attribute("/", "binding") && file.text_attribute("/", "binding") == plan.binding,
          "it was made from another source or with other options");
  require(
      file.text_attribute("/", "format") == "convoy-store" && file.integer_attribute("/", "version") == 1 &&
          file.text_attribute("/", "split") == plan.split && file.integer_attribute("/", "shard") == index &&
          file.integer_attribute("/", "shards") == plan.shards(),
      "its attributes belong to another shard");
  require(file.integer_attribute("/", "classes_crc32c") == classes_checksum(plan.classes),
          "it has other classes");
}

// Names and labels must match the plan without the skipped images. Returns the number of remaining images.
std::int64_t check_entries(const Hdf5File& file, const SplitPlan& plan, int index) {
  std::set<std::string> skipped;
  if (file.exists("/skipped")) {
    require(plan.skip_bad, "it leaves out images, but --skip-bad is not set");
    for (std::string& name : file.read_strings("/skipped/names")) skipped.insert(std::move(name));
  }
  std::vector<std::string> names;
  std::vector<std::int32_t> labels;
  const Range range = plan.shard(index);
  for (auto i = static_cast<std::size_t>(range.begin); i < static_cast<std::size_t>(range.end); ++i) {
    if (skipped.contains(plan.names[i])) continue;
    names.push_back(plan.names[i]);
    labels.push_back(plan.labels[i]);
  }
  require(file.read_strings("/names") == names && file.read<std::int32_t>("/labels") == labels,
          "its names or labels are damaged");
  return static_cast<std::int64_t>(names.size());
}

void check_images(const Hdf5File& file, const SplitPlan& plan, std::int64_t count, PixelSums& sums) {
  const auto side = static_cast<std::uint64_t>(plan.image_size);
  require(
      file.shape("/images") == std::vector<std::uint64_t>{static_cast<std::uint64_t>(count), side, side, 3},
      "its images have another shape");
  const auto checksums = file.read<std::uint32_t>("/crc32c");
  require(checksums.size() == static_cast<std::size_t>(count), "its checksums are incomplete");
  const std::int64_t chunk = chunk_images(plan);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(std::min(chunk, count)) * plan.image_bytes());
  for (std::int64_t first = 0; first < count; first += chunk) {
    const std::int64_t rows = std::min(chunk, count - first);
    const auto used = std::span(pixels).first(static_cast<std::size_t>(rows) * plan.image_bytes());
    file.read_rows<std::uint8_t>("/images", first, rows, used);
    parallel_for(rows, plan.workers, [&](std::int64_t row) {
      const auto image = used.subspan(static_cast<std::size_t>(row) * plan.image_bytes(), plan.image_bytes());
      require(checksum(image) == checksums[static_cast<std::size_t>(first + row)],
              "the checksum of an image is wrong");
    });
    sums.add(used, plan.workers);
  }
}

}  // namespace

bool keep_shard(const SplitPlan& plan, int index, PixelSums& sums, std::string& reason) {
  reason.clear();
  if (!fs::exists(plan.shard_path(index))) return false;
  try {
    const Hdf5File file(plan.shard_path(index), Hdf5File::Access::read);
    check_attributes(file, plan, index);
    PixelSums own(plan.image_size);
    check_images(file, plan, check_entries(file, plan, index), own);
    sums.merge(own);
    return true;
  } catch (const Error& error) {
    reason = error.what();
    return false;
  }
}

std::vector<BadImage> skipped_in_shard(const fs::path& path) {
  const Hdf5File file(path, Hdf5File::Access::read);
  if (!file.exists("/skipped")) return {};
  const auto names = file.read_strings("/skipped/names"), reasons = file.read_strings("/skipped/reasons");
  std::vector<BadImage> skipped;
  for (std::size_t i = 0; i < std::min(names.size(), reasons.size()); ++i)
    skipped.push_back({names[i], reasons[i]});
  return skipped;
}

std::string shard_binding(const fs::path& path) {
  try {
    const Hdf5File file(path, Hdf5File::Access::read);
    return file.has_attribute("/", "binding") ? file.text_attribute("/", "binding") : "";
  } catch (const Error&) {
    return "";
  }
}

}  // namespace convoy
