#include "data/store.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "base/atomic_file.hpp"
#include "base/crc32c.hpp"
#include "base/error.hpp"
#include "base/lower_case.hpp"
#include "data/hdf5_file.hpp"

namespace convoy {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// A value of store.json and its path ("splits.train.shards[3].images"), for messages.
class Entry {
 public:
  Entry(const Json& value, std::string where, const fs::path& file)
      : value_(value), where_(std::move(where)), file_(file) {}

  [[noreturn]] void refuse(const std::string& problem) const {
    fail(ExitCode::bad_data, "{}: {}{}{}", file_.string(), where_, where_.empty() ? "" : ": ", problem);
  }
  bool has(const char* key) const { return object().value_.contains(key); }
  Entry at(const char* key) const {
    if (!has(key)) refuse(fmt::format("the key '{}' is missing", key));
    return {value_.at(key), where_.empty() ? key : where_ + "." + key, file_};
  }
  std::vector<Entry> items(std::size_t count = 0) const {
    if (!value_.is_array()) refuse(fmt::format("is {}, expected a list", value_.type_name()));
    if (count != 0 && value_.size() != count)
      refuse(fmt::format("has {} values, expected {}", value_.size(), count));
    std::vector<Entry> result;
    for (std::size_t i = 0; i < value_.size(); ++i)
      result.emplace_back(value_[i], fmt::format("{}[{}]", where_, i), file_);
    return result;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> result;
    for (const auto& item : object().value_.items()) result.push_back(item.key());
    return result;
  }
  const Entry& object() const {
    if (!value_.is_object()) refuse(fmt::format("is {}, expected an object", value_.type_name()));
    return *this;
  }
  std::string text() const {
    if (!value_.is_string()) refuse(fmt::format("is {}, expected text", value_.type_name()));
    return value_.get<std::string>();
  }
  double number() const {
    if (!value_.is_number()) refuse(fmt::format("is {}, expected a number", value_.type_name()));
    return value_.get<double>();
  }
  std::int64_t count(std::int64_t least, std::int64_t most) const {
    const bool fits = value_.is_number_unsigned()
                          ? value_.get<std::uint64_t>() <= static_cast<std::uint64_t>(most)
                          : value_.is_number_integer() && value_.get<std::int64_t>() <= most;
    if (!fits || value_.get<std::int64_t>() < least)
      refuse(fmt::format("is {}, expected a whole number from {} to {}",
                         value_.is_primitive() ? value_.dump() : value_.type_name(), least, most));
    return value_.get<std::int64_t>();
  }

 private:
  const Json& value_;
  std::string where_;
  const fs::path& file_;
};

constexpr std::int64_t most_bytes = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t most_images = std::numeric_limits<std::uint32_t>::max();  // sample ids have 32 bits

Fit parse_fit(const Entry& entry) {
  const std::optional<Fit> fit = value_of(fit_words(), entry.text());
  if (!fit) entry.refuse(fmt::format("is \"{}\", expected cut, warp or pad", entry.text()));
  return *fit;
}

std::vector<ClassEntry> parse_classes(const Entry& list) {
  std::vector<ClassEntry> classes;
  std::set<std::string> seen;
  for (const Entry& item : list.items()) {
    classes.push_back({item.at("id").text(), item.at("name").text()});
    if (!seen.insert(classes.back().id).second)
      item.refuse(fmt::format("the id '{}' occurs twice", classes.back().id));
  }
  if (classes.empty()) list.refuse("has no classes");
  return classes;
}

// The position of the `bytes` bytes of a dataset in the file; 0 if they must be read through HDF5.
std::uint64_t parse_offset(const Entry& shard, const char* dataset, std::int64_t bytes,
                           std::uint64_t file_bytes) {
  if (!shard.has("offsets") || !shard.at("offsets").has(dataset)) return 0;
  const Entry entry = shard.at("offsets").at(dataset);
  const auto offset = static_cast<std::uint64_t>(entry.count(0, most_bytes));
  if (offset != 0 && (offset > file_bytes || static_cast<std::uint64_t>(bytes) > file_bytes - offset))
    entry.refuse(fmt::format("{} bytes at {} are not within the file's {} bytes", bytes, offset, file_bytes));
  return offset;
}

ShardEntry parse_shard(const Entry& entry, int image_size) {
  ShardEntry shard;
  shard.file = entry.at("file").text();
  // A store may come from an untrusted source: it must not make Convoy read other files.
  if (shard.file.empty() || shard.file == "." || shard.file == ".." ||
      shard.file.find_first_of(std::string_view("/\0", 2)) != shard.file.npos)
    entry.at("file").refuse(fmt::format("'{}' is not the name of a file in the store's folder", shard.file));
  shard.images = entry.at("images").count(0, most_images);
  shard.bytes = static_cast<std::uint64_t>(entry.at("bytes").count(0, most_bytes));
  const std::int64_t image_bytes = std::int64_t{3} * image_size * image_size;
  shard.images_offset = parse_offset(entry, "images", shard.images * image_bytes, shard.bytes);
  shard.labels_offset = parse_offset(entry, "labels", shard.images * 4, shard.bytes);
  shard.crc32c_offset = parse_offset(entry, "crc32c", shard.images * 4, shard.bytes);
  return shard;
}

SplitEntry parse_split(const Entry& entry, int image_size) {
  SplitEntry split;
  split.images = entry.at("images").count(0, most_images);
  std::set<std::string> seen;
  std::int64_t images = 0;
  for (const Entry& item : entry.at("shards").items()) {
    split.shards.push_back(parse_shard(item, image_size));
    images += split.shards.back().images;
    if (!seen.insert(split.shards.back().file).second)
      item.refuse(fmt::format("the file '{}' occurs twice", split.shards.back().file));
  }
  if (images != split.images)
    entry.refuse(fmt::format("has {} images, but its shards contain {}", split.images, images));
  return split;
}

void parse_three(const Entry& entry, double (&values)[3]) {
  const std::vector<Entry> items = entry.items(3);
  for (std::size_t i = 0; i < 3; ++i) values[i] = items[i].number();
}

Statistics parse_statistics(const Entry& entry) {
  Statistics statistics{};
  parse_three(entry.at("mean"), statistics.mean);
  parse_three(entry.at("std"), statistics.std);
  parse_three(entry.at("pca_values"), statistics.pca_values);
  const std::vector<Entry> rows = entry.at("pca_vectors").items(3);
  for (std::size_t i = 0; i < 3; ++i) parse_three(rows[i], statistics.pca_vectors[i]);
  return statistics;
}

Json split_to_json(const SplitEntry& split) {
  Json shards = Json::array();
  for (const ShardEntry& shard : split.shards) {
    shards.push_back({{"file", shard.file},
                      {"images", shard.images},
                      {"bytes", shard.bytes},
                      {"offsets",
                       {{"images", shard.images_offset},
                        {"labels", shard.labels_offset},
                        {"crc32c", shard.crc32c_offset}}}});
  }
  return {{"images", split.images}, {"shards", std::move(shards)}};
}

// The apparent content of a folder without store.json, from its first entries.
std::string describe_folder(const fs::path& folder) {
  std::error_code error;
  int looked_at = 0;
  constexpr auto options = fs::directory_options::skip_permission_denied;
  for (const auto& entry : fs::recursive_directory_iterator(folder, options, error)) {
    const std::string name = entry.path().filename().string();
    const std::string extension = lower_case(entry.path().extension().string());
    if (extension == ".jpg" || extension == ".jpeg" || extension == ".png") return "images";
    if (name.starts_with("train-") || name.starts_with("val-")) return "shards";
    if (++looked_at == 1000) break;
  }
  return "";
}

}  // namespace

const SplitEntry& Store::split(std::string_view name) const {
  if (name == "train" && train) return *train;
  if (name == "val" && val) return *val;
  fail(ExitCode::usage, "the store {} has no split '{}'; it has {}{}{}", folder.string(), name,
       train ? "train" : "", train && val ? " and " : "", val ? "val" : "");
}

Store parse_store(std::string_view json_text, const fs::path& folder) {
  const fs::path file = folder / "store.json";
  Json json;
  try {
    json = Json::parse(json_text);
  } catch (const Json::exception& error) {
    fail(ExitCode::bad_data, "{}: is not JSON: {}", file.string(), error.what());
  }
  const Entry root(json, "", file);
  if (!json.is_object() || !root.has("format") || root.at("format").text() != "convoy-store")
    root.refuse("is not a Convoy store (its 'format' is not \"convoy-store\")");
  if (const std::int64_t version = root.at("version").count(0, 1'000'000); version != 1)
    root.refuse(fmt::format("has version {}, but this Convoy reads version 1", version));

  Store store;
  store.folder = folder;
  store.image_size = static_cast<int>(root.at("image_size").count(1, 8192));
  if (root.has("fit")) store.fit = parse_fit(root.at("fit"));
  store.classes = parse_classes(root.at("classes"));
  const Entry splits = root.at("splits");
  for (const std::string& name : splits.keys()) {
    if (name != "train" && name != "val")
      splits.refuse(fmt::format("'{}' is not a split (the splits are train and val)", name));
    (name == "train" ? store.train : store.val) = parse_split(splits.at(name.c_str()), store.image_size);
  }
  if (!store.train && !store.val) splits.refuse("has neither train nor val");
  if (root.has("statistics")) store.statistics = parse_statistics(root.at("statistics"));
  store.fingerprint = root.at("fingerprint").text();
  return store;
}

std::string store_to_json(const Store& store) {
  Json json = {{"format", "convoy-store"}, {"version", 1}, {"image_size", store.image_size}};
  json["fit"] = word_of(fit_words(), store.fit);
  json["classes"] = Json::array();
  for (const ClassEntry& entry : store.classes)
    json["classes"].push_back({{"id", entry.id}, {"name", entry.name}});
  json["splits"] = Json::object();
  if (store.train) json["splits"]["train"] = split_to_json(*store.train);
  if (store.val) json["splits"]["val"] = split_to_json(*store.val);
  if (store.statistics) {
    json["statistics"] = {{"mean", store.statistics->mean},
                          {"std", store.statistics->std},
                          {"pca_values", store.statistics->pca_values},
                          {"pca_vectors", store.statistics->pca_vectors}};
  }
  json["fingerprint"] = store.fingerprint;
  try {
    return json.dump(1) + "\n";
  } catch (const Json::exception& error) {
    fail(ExitCode::bad_data, "{}: a class's id or name (the name of its folder) is not UTF-8: {}",
         store.folder.string(), error.what());
  }
}

std::string read_store_text(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (!fs::exists(status))
    fail(ExitCode::io, "no store at {}: {} (`convoy pack SOURCE {} --split train` creates one)",
         folder.string(), error ? error.message() : "no such folder", folder.string());
  if (!fs::is_directory(status))
    fail(ExitCode::usage,
         "{} is a file, but a store is a folder, created by `convoy pack {} STORE --split train`",
         folder.string(), folder.string());
  if (fs::exists(folder / "store.json", error)) return read_text_file(folder / "store.json");
  if (error) fail(ExitCode::io, "cannot access {}: {}", folder.string(), error.message());

  const std::string found = describe_folder(folder);
  if (found == "images")
    fail(ExitCode::usage,
         "{} is a folder of images: pack it into a store (`convoy pack {} STORE --split train`) "
         "and use that",
         folder.string(), folder.string());
  if (found == "shards")
    fail(ExitCode::bad_data,
         "{} contains shards but no store.json: packing was interrupted. "
         "Run the same `convoy pack` again to resume it",
         folder.string());
  fail(ExitCode::usage,
       "{} is not a store: it contains no store.json (`convoy pack SOURCE {} --split train` creates one)",
       folder.string(), folder.string());
}

std::vector<float> read_mean_image(const Store& store) {
  const Hdf5File file(store.folder / "mean.h5", Hdf5File::Access::read);
  const auto side = static_cast<std::uint64_t>(store.image_size);
  if (file.shape("/mean") != std::vector<std::uint64_t>{3, side, side})
    fail(ExitCode::bad_data, "{}: /mean is not 3 × {} × {} like the store's images", file.path().string(),
         side, side);
  std::vector<float> mean = file.read<float>("/mean");
  if (!std::all_of(mean.begin(), mean.end(), [](float value) { return std::isfinite(value); }))
    fail(ExitCode::bad_data, "{}: /mean contains values that are not finite", file.path().string());
  return mean;
}

std::uint32_t classes_checksum(const std::vector<ClassEntry>& classes) {
  std::uint32_t checksum = 0;
  for (const ClassEntry& entry : classes) {
    for (const std::string* text : {&entry.id, &entry.name})
      checksum = crc32c(std::as_bytes(std::span(text->c_str(), text->size() + 1)), checksum);
  }
  return checksum;
}

}  // namespace convoy
