#include "report/predictions_file.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/atomic_file.hpp"
#include "base/error.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

constexpr const char* best_name = "predictions-best.csv";
constexpr const char* latest_name = "predictions-latest.csv";
constexpr std::string_view first_line = "# validation at step ";
constexpr std::string_view header = "sample,class,top1,top2,top3,top4,top5,probability";

// Takes a number and the separator behind it from the front of `line`; false if they are not there.
template <typename Number>
bool take(std::string_view& line, Number& number, bool last = false) {
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc()) return false;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  if (last) return line.empty();
  if (!line.starts_with(',')) return false;
  line.remove_prefix(1);
  return true;
}

bool parse_sample(std::string_view line, SamplePrediction& sample) {
  if (!take(line, sample.sample) || !take(line, sample.truth)) return false;
  for (std::int32_t& index : sample.top)
    if (!take(line, index)) return false;
  return take(line, sample.probability, true);
}

// The next line of `text`, which loses it.
std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

std::string predictions_to_text(std::int64_t step, std::span<const SamplePrediction> samples) {
  std::string text = fmt::format("{}{}\n{}\n", first_line, step, header);
  for (const SamplePrediction& one : samples) {
    fmt::format_to(std::back_inserter(text), "{},{}", one.sample, one.truth);
    for (const std::int32_t index : one.top) fmt::format_to(std::back_inserter(text), ",{}", index);
    fmt::format_to(std::back_inserter(text), ",{}\n", one.probability);
  }
  return text;
}

ValidationPredictions parse_predictions(const std::string& text, const std::string& source) {
  ValidationPredictions result;
  std::string_view rest = text;
  std::string_view line = next_line(rest);
  const bool begins = line.starts_with(first_line);
  if (begins) line.remove_prefix(first_line.size());
  if (!begins || !take(line, result.step, true) || next_line(rest) != header)
    fail(ExitCode::bad_data, "{} is not a file of predictions: it begins otherwise", source);
  for (int number = 3; !rest.empty(); ++number) {
    SamplePrediction sample;
    if (!parse_sample(next_line(rest), sample))
      fail(ExitCode::bad_data, "{}:{}: expected {}", source, number, header);
    result.samples.push_back(sample);
  }
  return result;
}

ValidationPredictions read_predictions(const fs::path& folder) {
  for (const char* name : {best_name, latest_name}) {
    std::error_code error;
    const fs::path path = folder / name;
    if (fs::exists(path, error)) return parse_predictions(read_text_file(path), path.string());
  }
  return {};
}

PredictionsFile::PredictionsFile(fs::path folder, const Log& log) : folder_(std::move(folder)), log_(log) {}

void PredictionsFile::on_start(const RunRecord& record) {
  for (const char* name : {best_name, latest_name}) {
    std::error_code error;
    const fs::path path = folder_ / name;
    if (!fs::exists(path, error)) continue;
    try {
      if (parse_predictions(read_text_file(path), path.string()).step <= record.step) continue;
    } catch (const Error& damaged) {
      log_.warn("{}; the file is removed", damaged.what());
    }
    fs::remove(path, error);
  }
}

void PredictionsFile::on_predictions(const PredictionsRecord& record) {
  try {
    const std::string text = predictions_to_text(record.step, record.samples);
    write_file_atomically(folder_ / latest_name, text);
    if (record.best) write_file_atomically(folder_ / best_name, text);
  } catch (const Error& error) {
    if (!warned_)
      log_.warn("{}; the run continues without predictions of its validation images", error.what());
    warned_ = true;
  }
}

}  // namespace convoy
