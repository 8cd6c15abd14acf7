#include "report/run_folders.hpp"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace convoy::test {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t steps_per_record = 10, steps_per_epoch = 100;

std::string line(const Json& json) {
  return json.dump() + "\n";
}

Json step_line(const SampleRun& run, std::int64_t record) {
  const std::int64_t step = record * steps_per_record;
  const double x = static_cast<double>(record);
  return {{"kind", "step"},
          {"step", step},
          {"epoch", static_cast<double>(step) / static_cast<double>(steps_per_epoch)},
          {"samples", 640},
          {"loss", 2.5 * std::exp(-x / 50) + 0.1 * std::sin(x)},
          {"top1", 0.9 - 0.8 * std::exp(-x / 40)},
          {"lr", run.rate},
          {"images_per_second", 800 + 31 * std::cos(x)},
          {"seconds",
           {{"input", 0.001 / (1 + x)},
            {"forward", 0.02},
            {"backward", 0.04},
            {"exposed", 0.003},
            {"update", 0.002}}},
          {"attempt", record > run.steps / 2 ? 2 : 1},
          {"ranks", {{"least", 0.06}, {"median", 0.0625}, {"most", 0.07}, {"slowest", 1}, {"host", "b"}}}};
}

}  // namespace

std::string sample_metrics(const SampleRun& run) {
  std::string text =
      line({{"kind", "event"}, {"step", 0}, {"what", "start"}, {"text", "started from initial weights"}});
  for (std::int64_t record = 1; record <= run.steps; ++record) {
    const std::int64_t step = record * steps_per_record;
    text += line(step_line(run, record));
    if (step % steps_per_epoch == 0) {
      const double epoch = static_cast<double>(step) / static_cast<double>(steps_per_epoch);
      text += line({{"kind", "validation"},
                    {"step", step},
                    {"epoch", epoch},
                    {"samples", 50},
                    {"loss", 2 / epoch},
                    {"top1", 0.7 - 0.5 / epoch},
                    {"top5", 0.9 - 0.3 / epoch}});
      text += line({{"kind", "checkpoint"}, {"step", step}, {"path", "checkpoints/x.h5"}, {"seconds", 0.5}});
    }
    if (record == run.steps / 2)
      text += line({{"kind", "event"}, {"step", step}, {"what", "resume"}, {"text", "resumed"}});
  }
  if (!run.end.empty())
    text += line(
        {{"kind", "event"}, {"step", run.steps * steps_per_record}, {"what", run.end}, {"text", "the end"}});
  return text;
}

std::string sample_run_file(const SampleRun& run) {
  const Json configuration = {
      {"model", run.model}, {"lr", std::to_string(run.rate)}, {"data", "/nowhere/store"}};
  const Json json = {
      {"format", "convoy-run"},
      {"attempt", 2},
      {"last_step", run.steps * steps_per_record},
      {"steps_per_epoch", steps_per_epoch},
      {"epochs", static_cast<double>(run.steps * steps_per_record) / static_cast<double>(steps_per_epoch)},
      {"model", run.model},
      {"parameters", 1198602},
      {"batch", "64 = 2 ranks × 32"},
      {"configuration", configuration},
      {"topology", {{"ranks", 2}, {"nodes", 1}, {"device", "CPU"}, {"hosts", {"a", "b"}}}},
      {"versions", {{"convoy", "0.1.0"}}},
      {"attempts",
       {{{"attempt", 1}, {"first_step", 0}, {"configuration", {{"lr", "0.5"}}}},
        {{"attempt", 2},
         {"first_step", run.steps * steps_per_record / 2},
         {"configuration", configuration}}}}};
  return json.dump(2) + "\n";
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

void write_run(const std::filesystem::path& folder, const SampleRun& run) {
  write_text(folder / "metrics.jsonl", sample_metrics(run));
  write_text(folder / "run.json", sample_run_file(run));
}

}  // namespace convoy::test
