#include "report/page/prediction_data.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "report/page/prediction_summary.hpp"
#include "report/page/run_pictures.hpp"
#include "report/page/run_series.hpp"
#include "report/predictions_file.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t fair_images = 24, wrong_images = 16;
constexpr std::size_t most_pairs = 15;

// What `work` returns; nothing, with a remark, where a file is missing or damaged.
template <typename Work>
auto attempted(std::vector<std::string>& remarks, std::string_view left_out, Work&& work)
    -> std::optional<decltype(work())> {
  try {
    return work();
  } catch (const Error& error) {
    if (error.category() == ExitCode::bug) throw;
    remarks.push_back(fmt::format("{}: {}", left_out, error.what()));
    return std::nullopt;
  }
}

fs::path store_of(const RunSource& source, const Json& run) {
  if (!source.store.empty()) return source.store;
  const Json::json_pointer place("/configuration/data");
  if (!run.is_object() || !run.contains(place) || !run[place].is_string())
    fail(ExitCode::usage, "run.json does not name the store; pass it as --data STORE");
  return run[place].get<std::string>();
}

Store open_store_of(const RunSource& source, const Json& run) {
  const fs::path folder = store_of(source, run);
  std::error_code error;
  if (!fs::is_directory(folder, error))
    fail(ExitCode::usage, "the store {} is not there; pass it as --data STORE", folder.string());
  Store store = parse_store(read_store_text(folder), folder);
  const Json::json_pointer place("/store/fingerprint");
  const std::string expected =
      run.is_object() && run.contains(place) && run[place].is_string() ? run[place].get<std::string>() : "";
  if (!expected.empty() && expected != store.fingerprint)
    fail(ExitCode::bad_data, "{} is not the store of the run (fingerprint {} instead of {})", folder.string(),
         store.fingerprint, expected);
  return store;
}

Json picture_of(const SamplePrediction& one, const Thumbnail& thumbnail) {
  return {{"uri", thumbnail.uri},
          {"name", thumbnail.name},
          {"truth", one.truth},
          {"top", one.top},
          {"probability", json_number(one.probability)}};
}

// The thumbnails of `chosen` as a list.
Json pictures_of(const Store& store, const std::vector<SamplePrediction>& chosen) {
  const std::vector<Thumbnail> thumbnails = make_thumbnails(store, chosen);
  Json list = Json::array();
  for (std::size_t i = 0; i < chosen.size(); ++i) list.push_back(picture_of(chosen[i], thumbnails[i]));
  return list;
}

Json summary_of(const PredictionSummary& summary) {
  Json json = {{"images", summary.images}, {"wrong", summary.wrong}};
  Json& classes = json["classes"] = Json::array();
  for (const ClassResult& one : summary.classes)
    classes.push_back({one.index, one.images, one.wrong, one.missed, one.taken_for, one.taken_count});
  Json& pairs = json["pairs"] = Json::array();
  for (const ConfusedPair& pair : summary.pairs) pairs.push_back({pair.truth, pair.predicted, pair.count});
  return json;
}

Json class_names(const std::vector<ClassEntry>& classes) {
  Json names = Json::array();
  for (const ClassEntry& entry : classes)
    names.push_back(entry.name.empty() || entry.name == entry.id ? Json::array({entry.id})
                                                                 : Json::array({entry.id, entry.name}));
  return names;
}

}  // namespace

void add_pictures(const RunSource& source, const Json& run, Json& json, std::vector<std::string>& remarks) {
  const fs::path checkpoint = shown_checkpoint(source.folder);
  if (!checkpoint.empty()) {
    const auto facts = attempted(remarks, "no filters", [&] { return read_checkpoint_facts(checkpoint); });
    if (facts) json["classes"] = class_names(facts->classes);
    if (facts && !facts->filters.empty())
      json["filters"] = {{"uri", facts->filters}, {"step", facts->step}, {"count", facts->count}};
  }
  const auto predictions =
      attempted(remarks, "no predictions", [&] { return read_predictions(source.folder); });
  if (!predictions || predictions->samples.empty()) return;
  Json& part = json["predictions"] = summary_of(summarise(predictions->samples, most_pairs));
  part["step"] = predictions->step;
  const auto store = attempted(remarks, "no pictures", [&] { return open_store_of(source, run); });
  if (!store) return;
  if (!json.contains("classes")) json["classes"] = class_names(store->classes);
  const auto pictures = attempted(remarks, "no pictures", [&] {
    return std::pair(pictures_of(*store, fair_sample(predictions->samples, fair_images)),
                     pictures_of(*store, surest_wrong(predictions->samples, wrong_images)));
  });
  if (!pictures) return;
  part["fair"] = pictures->first;
  part["surest_wrong"] = pictures->second;
}

}  // namespace convoy
