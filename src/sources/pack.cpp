#include "sources/pack.hpp"

#include <algorithm>
#include <span>

#include "base/error.hpp"
#include "data/decode.hpp"
#include "data/messages.hpp"
#include "data/store_folder.hpp"
#include "data/worker_count.hpp"
#include "sources/class_list.hpp"
#include "sources/class_order.hpp"
#include "sources/label_list.hpp"
#include "sources/source.hpp"

namespace convoy {

namespace fs = std::filesystem;

// Workers are each rank's own.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SplitPlan, folder, split, image_size, fit, shard_bytes, skip_bad, replace,
                                   classes, names, labels, binding)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SourceIndex, kind, encoding, storage, files, root, ignored, class_folder,
                                   warnings)

namespace {

// The plan and the location of each image's bytes (source.items in stored order; names and labels are only in
// the plan).
struct PackJob {
  SplitPlan plan;
  SourceIndex source;
};

void check_options(const PackOptions& options) {
  if (options.split != "train" && options.split != "val")
    fail(ExitCode::usage, "--split {}: the splits of a store are train and val", options.split);
  constexpr int largest_side = 4096;
  if (options.image_size < 1 || options.image_size > largest_side)
    fail(ExitCode::usage, "--image-size {}: must be from 1 to {}", options.image_size, largest_side);
  if (options.shard_bytes == 0) fail(ExitCode::usage, "--shard-bytes 0: a shard contains at least one image");
  if (options.workers < 0)
    fail(ExitCode::usage, "--workers {}: must be 0 (each rank's share of the cores) or more",
         options.workers);
  if (fs::exists(options.store) && !fs::is_directory(options.store))
    fail(ExitCode::usage, "{} is a file, but a store is a folder", options.store.string());
}

std::vector<std::string> ids_of(const std::vector<ClassEntry>& classes) {
  std::vector<std::string> ids;
  ids.reserve(classes.size());
  for (const ClassEntry& entry : classes) ids.push_back(entry.id);
  return ids;
}

// The classes that are fixed before the source is read: the store's, or --class-list's; otherwise none.
std::vector<std::string> known_ids(const PackOptions& options, const std::optional<Store>& store) {
  std::vector<std::string> ids;
  if (!options.class_list.empty()) ids = read_class_list(options.class_list);
  if (!store) return ids;
  if (!ids.empty() && ids != ids_of(store->classes)) {
    fail(ExitCode::usage,
         "--class-list {} differs from the existing classes of {}: omit it, or choose another folder",
         options.class_list.string(), options.store.string());
  }
  return ids_of(store->classes);
}

void label_source(SourceIndex& source, const PackOptions& options, const std::vector<std::string>& known) {
  const auto loose = std::ranges::find(source.items, -1, &SourceItem::label);
  if (!options.labels.empty()) {
    if (source.encoding == SourceEncoding::cifar_planes)
      fail(ExitCode::usage, "--labels: {} has its own labels", options.source.string());
    apply_labels(source, options.labels, known);
  } else if (loose != source.items.end()) {
    fail(ExitCode::usage,
         "{} ({}): {} is not in a class folder. Pass --labels (the ILSVRC2012 development kit, a list with "
         "the name and class of each image such as LOC_val_solution.csv or Caffe's val.txt, or one class per "
         "line), put each image into its class's folder, or remove it",
         options.source.string(), source.kind, loose->name);
  }
}

// Images that certainly cannot be read are refused before the first one is packed.
void refuse_flaws(const SourceIndex& source, const PackOptions& options) {
  std::vector<const SourceItem*> flawed;
  for (const SourceItem& item : source.items)
    if (!item.flaw.empty()) flawed.push_back(&item);
  if (flawed.empty() || options.skip_bad) return;
  std::ranges::sort(flawed, {}, [](const SourceItem* item) { return std::string_view(item->name); });
  constexpr std::size_t most_listed = 10;
  std::string list;
  for (const SourceItem* item : std::span(flawed).first(std::min(flawed.size(), most_listed)))
    list += fmt::format("\n  {} {}", item->name, item->flaw);
  fail(ExitCode::bad_data,
       "{}: {} images cannot be read:{}{}\nRepair or remove them, or leave them out with --skip-bad.",
       options.source.string(), flawed.size(), list, flawed.size() > most_listed ? "\n  ..." : "");
}

// A network that can answer only one thing is right about everything and has learned nothing.
void warn_of_single_class(SourceIndex& source, const SplitPlan& plan, const PackOptions& options) {
  if (plan.classes.size() != 1) return;
  source.warnings.push_back(fmt::format(
      "{} has a single class, {}: nothing can be learned from it. The classes are the folders in SOURCE, or "
      "those of --class-list",
      options.source.string(), plan.classes.front().id));
}

std::vector<ClassEntry> classes_of(const PackOptions& options, const std::optional<Store>& store,
                                   const std::vector<std::string>& ids) {
  if (store && options.class_names.empty()) return store->classes;
  std::map<std::string, std::string> names;
  if (!options.class_names.empty()) names = read_class_names(options.class_names, ids);
  return name_classes(ids, names);
}

// Classes that store.json cannot represent are rejected now, not after all images are packed.
void refuse_unwritable_classes(const SplitPlan& plan) {
  Store described;
  described.folder = plan.folder;
  described.classes = plan.classes;
  store_to_json(described);
}

// Puts names, labels and items in stored order.
void order_images(PackJob& job) {
  for (const SourceItem& item : job.source.items) job.plan.names.push_back(item.name);
  const std::vector<std::uint32_t> order = stored_order(job.plan.names);
  std::vector<SourceItem> items;
  items.reserve(order.size());
  for (const std::uint32_t index : order) items.push_back(std::move(job.source.items[index]));
  job.source.items = std::move(items);
  job.plan.names.clear();
  for (SourceItem& item : job.source.items) {
    job.plan.names.push_back(std::move(item.name));
    job.plan.labels.push_back(item.label);
  }
}

// Classes that people mistake for others are not refused, because they may be meant.
void remark_on_classes(const std::vector<std::string>& ids, const Log& log) {
  constexpr std::size_t listed = 5;
  const std::vector<std::string> similar = similar_ids(ids);
  for (const std::string& remark : std::span(similar).first(std::min(similar.size(), listed)))
    log.warn("{}", remark);
  const auto numbers = number_order(ids);
  if (!numbers) return;
  if (numbers->same)
    log.info("{}", numbers->text);
  else
    log.warn("{}", numbers->text);
}

PackJob prepare(const PackOptions& options, int workers, const Log& log) {
  check_options(options);
  const std::optional<Store> store = store_beside(options.store, options.split, options.replace);
  const std::vector<std::string> known = known_ids(options, store);
  PackJob job;
  job.source = index_source(options.source, options.split, workers, known);
  refuse_flaws(job.source, options);
  label_source(job.source, options, known);
  const std::vector<std::string> ids = known.empty() ? job.source.classes : known;
  if (read_folders_as_labels(job.source, known))
    log.info("the folders 0 to {} are read as labels: folder 0 contains {}", known.size() - 1, known.front());
  relabel(job.source, ids);
  remark_on_classes(ids, log);
  job.plan.folder = options.store;
  job.plan.split = options.split;
  job.plan.image_size = options.image_size;
  job.plan.fit = options.fit;
  job.plan.shard_bytes = options.shard_bytes;
  job.plan.skip_bad = options.skip_bad;
  job.plan.replace = options.replace;
  job.plan.classes = classes_of(options, store, ids);
  refuse_unwritable_classes(job.plan);
  warn_of_single_class(job.source, job.plan, options);
  order_images(job);
  std::string details = job.source.kind + "\n";
  for (const SourceItem& item : job.source.items) details += fmt::format("{} ", item.bytes);
  bind_plan(job.plan, details);
  check_fits(job.plan, store);
  return job;
}

// The text of the job, which rank 0 sends to the others. Items are sent as columns of numbers: one object per
// item would take gigabytes.
void to_json(nlohmann::json& json, const PackJob& job) {
  std::vector<std::uint32_t> files, checksums;
  std::vector<std::uint64_t> offsets, bytes, packed_bytes;
  std::vector<int> deflated;
  std::map<std::size_t, std::string> flaws;
  const bool zip = job.source.storage == SourceStorage::zip_members;
  for (const SourceItem& item : job.source.items) {
    if (!item.flaw.empty()) flaws[files.size()] = item.flaw;
    files.push_back(item.file);
    offsets.push_back(item.offset);
    bytes.push_back(item.bytes);
    if (!zip) continue;
    packed_bytes.push_back(item.packed_bytes);
    checksums.push_back(item.crc32);
    deflated.push_back(item.deflated ? 1 : 0);
  }
  json = {{"plan", job.plan},
          {"source", job.source},
          {"item_files", files},
          {"item_offsets", offsets},
          {"item_bytes", bytes},
          {"item_packed_bytes", packed_bytes},
          {"item_checksums", checksums},
          {"item_deflated", deflated},
          {"item_flaws", flaws}};
}

void from_json(const nlohmann::json& json, PackJob& job) {
  json.at("plan").get_to(job.plan);
  json.at("source").get_to(job.source);
  job.source.items.resize(job.plan.names.size());
  for (std::size_t i = 0; i < job.plan.names.size(); ++i) {
    SourceItem& item = job.source.items[i];
    item.name = job.plan.names[i];
    item.label = job.plan.labels[i];
    json.at("item_files").at(i).get_to(item.file);
    json.at("item_offsets").at(i).get_to(item.offset);
    json.at("item_bytes").at(i).get_to(item.bytes);
    if (job.source.storage != SourceStorage::zip_members) continue;
    json.at("item_packed_bytes").at(i).get_to(item.packed_bytes);
    json.at("item_checksums").at(i).get_to(item.crc32);
    item.deflated = json.at("item_deflated").at(i).get<int>() != 0;
  }
  for (const auto& [position, flaw] : json.at("item_flaws").get<std::map<std::size_t, std::string>>())
    job.source.items.at(position).flaw = flaw;
}

}  // namespace

PackReport pack(const PackOptions& options, Communicator& communicator, const Log& log) {
  const int workers = worker_count(options.workers, communicator);
  const std::string text = communicator.on_rank_zero([&] {
    try {
      return to_message(prepare(options, workers, log));
    } catch (const fs::filesystem_error& error) {
      fail(ExitCode::io, "{}", error.what());
    }
  });
  PackJob job = from_message<PackJob>(text);
  job.plan.workers = workers;
  log.info("{}: {}, {} images in {} classes, {} shards{}", options.source.string(), job.source.kind,
           job.plan.images(), job.plan.classes.size(), job.plan.shards(),
           job.source.ignored > 0 ? fmt::format(" ({} other files ignored)", job.source.ignored) : "");
  if (!job.source.class_folder.empty())
    log.info("the classes are the folders in its folder {}", job.source.class_folder);
  if (communicator.rank() == 0)
    for (const std::string& warning : job.source.warnings) log.warn("{}", warning);
  const SourceReader reader(job.source);
  const auto produce = [&](std::int64_t position, std::span<std::uint8_t> square) {
    reader.read_square(job.source.items[static_cast<std::size_t>(position)], job.plan.image_size, square,
                       job.plan.fit);
  };
  PackReport report;
  report.kind = job.source.kind;
  report.ignored = job.source.ignored;
  report.warnings = job.source.warnings;
  report.classes = static_cast<std::int64_t>(job.plan.classes.size());
  report.split = write_split(job.plan, produce, communicator, log);
  return report;
}

}  // namespace convoy
