#include "inference/sample_predictions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "data/shard_reader.hpp"
#include "engine/loss_arithmetic.hpp"

namespace convoy {
namespace {

static_assert(std::is_trivially_copyable_v<SamplePrediction>, "sent as bytes between equal programs");

// Names of all images of a split, in stored order.
std::vector<std::string> image_names(const Store& store, const std::string& split) {
  const ShardReader reader(store, split);
  std::vector<std::string> names;
  for (std::size_t shard = 0; shard < reader.shards().size(); ++shard) {
    std::vector<std::string> more = reader.names(shard);
    std::move(more.begin(), more.end(), std::back_inserter(names));
  }
  return names;
}

// A field of a CSV file: in quotation marks where a reader would otherwise take it apart.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

SamplePrediction predict_sample(std::uint32_t sample, std::int32_t truth, std::span<const float> scores) {
  SamplePrediction result{.sample = sample, .truth = truth, .probability = 0, .top = {}};
  result.top.fill(-1);
  std::size_t found = 0;
  const auto score_of = [&](std::int32_t index) { return scores[static_cast<std::size_t>(index)]; };
  for (std::int32_t index = 0; index < static_cast<std::int32_t>(scores.size()); ++index) {
    std::size_t place = found;
    while (place > 0 &&
           ranks_before(score_of(index), index, score_of(result.top[place - 1]), result.top[place - 1]))
      --place;
    if (place == result.top.size()) continue;
    found = std::min(found + 1, result.top.size());
    std::copy_backward(result.top.begin() + place, result.top.begin() + (found - 1),
                       result.top.begin() + found);
    result.top[place] = index;
  }
  if (found > 0) result.probability = score_of(result.top[0]);
  return result;
}

std::vector<SamplePrediction> gather_predictions(Communicator& communicator,
                                                 std::span<const SamplePrediction> mine) {
  const auto bytes = std::as_bytes(mine);
  const std::vector<std::string> texts =
      communicator.gather_texts({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  std::vector<SamplePrediction> all;
  for (const std::string& text : texts) {
    const std::size_t first = all.size(), count = text.size() / sizeof(SamplePrediction);
    all.resize(first + count);
    if (count > 0) std::memcpy(all.data() + first, text.data(), count * sizeof(SamplePrediction));
  }
  std::ranges::sort(all, {}, &SamplePrediction::sample);
  return all;
}

std::string predictions_csv(std::span<const SamplePrediction> predictions, const Store& store,
                            const std::string& split) {
  const std::vector<std::string> names = image_names(store, split);
  std::string text = "image,class,top1,top2,top3,top4,top5,probability\n";
  const auto id = [&](std::int32_t index) {
    const auto place = static_cast<std::size_t>(index);
    // A network may have more classes than the store: they have only a number.
    if (place >= store.classes.size()) return index < 0 ? std::string() : fmt::format("{}", index);
    return csv_field(store.classes[place].id);
  };
  for (const SamplePrediction& one : predictions) {
    text += fmt::format("{},{}", csv_field(names.at(one.sample)), id(one.truth));
    for (const std::int32_t index : one.top) text += fmt::format(",{}", id(index));
    text += fmt::format(",{}\n", one.probability);
  }
  return text;
}

}  // namespace convoy
