#include "run_folder.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "base/error.hpp"

namespace convoy::gpu_benchmark {
namespace {

std::vector<double> losses_of(const std::filesystem::path& run) {
  std::vector<double> losses;
  for (const Json& step : read_steps(run)) losses.push_back(step.at("loss").get<double>());
  if (losses.empty()) fail(ExitCode::bad_data, "{}: no steps in metrics.jsonl", run.string());
  return losses;
}

double largest_difference(const std::vector<double>& mine, const std::vector<double>& reference,
                          std::size_t steps) {
  double largest = 0;
  for (std::size_t i = 0; i < std::min({steps, mine.size(), reference.size()}); ++i)
    largest = std::max(largest, std::abs(mine[i] - reference[i]) / std::abs(reference[i]));
  return largest;
}

// One line as JSON, which forbids control characters and bytes that are no UTF-8: a script's messages may
// have both. Discarded where it is none even without them.
Json parse_line(std::string line) {
  Json parsed = Json::parse(line, nullptr, false);
  if (!parsed.is_discarded()) return parsed;
  std::ranges::replace_if(
      line, [](unsigned char byte) { return byte < 0x20 || byte == 0x7F; }, ' ');
  const std::string quoted = Json(line).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(Json::parse(quoted).get<std::string>(), nullptr, false);
}

}  // namespace

std::vector<Json> read_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) fail(ExitCode::io, "{}: cannot be read", path.string());
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) {
    Json object = parse_line(std::move(line));
    if (object.is_object()) lines.push_back(std::move(object));
  }
  return lines;
}

std::vector<Json> read_steps(const std::filesystem::path& run) {
  std::vector<Json> steps = read_lines(run / "metrics.jsonl");
  std::erase_if(steps, [](const Json& line) { return line.value("kind", "") != "step"; });
  return steps;
}

Json read_tuning(const std::filesystem::path& run) {
  std::ifstream file(run / "run.json");
  const Json whole = Json::parse(file, nullptr, false);
  return whole.is_object() ? whole.value("tuning", Json::array()) : Json::array();
}

void add_training(const Records& records, const std::string& name, const std::filesystem::path& run) {
  const std::vector<Json> steps = read_steps(run);
  if (steps.empty()) fail(ExitCode::bad_data, "{}: no steps in metrics.jsonl", run.string());
  const Json& last = steps.back();
  Json more = {{"seconds", last.at("seconds")}, {"loss", last.at("loss")}, {"step", last.at("step")}};
  records.entry("train/" + name, last.at("images_per_second").get<double>(), "images/s", "higher", more);
  for (Json decision : read_tuning(run)) {
    if (!decision.is_object()) continue;
    decision["kind"] = "tuning";
    decision["run"] = name;
    records.add(decision);
  }
}

void add_losses(const Records& records, const std::string& network, const NamedRun& reference,
                const std::vector<NamedRun>& runs) {
  const std::vector<double> expected = losses_of(reference.folder);
  for (const NamedRun& run : runs) {
    const std::vector<double> mine = losses_of(run.folder);
    records.entry("loss/" + network + "/" + run.name, largest_difference(mine, expected, 3), "", "lower",
                  {{"difference_all", largest_difference(mine, expected, mine.size())},
                   {"losses", mine},
                   {"reference", reference.name},
                   {"reference_losses", expected}});
  }
}

}  // namespace convoy::gpu_benchmark
