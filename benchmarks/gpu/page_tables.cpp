#include "page_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace convoy::gpu_benchmark {
namespace {

constexpr std::size_t listed = 12;  // rows of the tables that hold the worst only

// "step/alexnet/bf16/256/convoy" → {"step", "alexnet", "bf16", "256", "convoy"}
std::vector<std::string> parts_of(const std::string& id) {
  std::vector<std::string> parts(1);
  for (const char letter : id) {
    if (letter == '/') {
      parts.emplace_back();
    } else {
      parts.back() += letter;
    }
  }
  return parts;
}

bool starts(const Json& entry, const char* prefix) {
  return entry.value("id", std::string()).rfind(prefix, 0) == 0;
}

// One row of a step's table: Convoy's entry and those of the other framework's modes.
struct Step {
  std::string precision, batch;
  Json convoy = Json::object();
  std::vector<std::pair<std::string, Json>> peers;
};

void print_step(const Step& step) {
  const Json& c = step.convoy;
  const auto best = std::max_element(step.peers.begin(), step.peers.end(), [](const auto& a, const auto& b) {
    return a.second.value("value", 0.0) < b.second.value("value", 0.0);
  });
  std::string peer = " | | ";
  if (best != step.peers.end()) {
    // Convoy's time of the same alternation, not that of a later repetition.
    peer = fmt::format("{:.0f} | {} | {:.2f}", best->second.value("value", 0.0), best->first,
                       best->second.value("convoy_speed_ratio", 0.0));
  }
  const double seconds = c.value("step_seconds", 0.0);
  fmt::print(
      "| {} | {} | {:.0f} | {:.3f} | {:.3f} | {:.0f} % | {} | {} | {:.3f} | {:.3f} | {:.3f} | {:.3f} | "
      "{:.0f} |\n",
      step.precision, step.batch, c.value("value", 0.0), seconds * 1e3, c.value("floor_seconds", 0.0) * 1e3,
      c.value("floor_share", 0.0) * 100, c.value("graph", false) ? "yes" : "refused", peer,
      c.value("forward_seconds", 0.0) * 1e3, c.value("backward_seconds", 0.0) * 1e3,
      c.value("exposed_seconds", 0.0) * 1e3, c.value("update_seconds", 0.0) * 1e3,
      c.value("set_up_seconds", 0.0));
}

std::string seconds_text(const Json& seconds) {
  std::string text;
  for (const char* phase : {"input", "forward", "backward", "exposed", "update"})
    text += fmt::format("{:.3f} | ", seconds.value(phase, 0.0) * 1e3);
  return text;
}

std::string cell(std::string text) {
  std::replace(text.begin(), text.end(), '|', '/');
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

void print_steps(const Json& results) {
  std::vector<std::string> networks;
  std::map<std::string, std::vector<Step>> steps;
  for (const Json& entry : results["entries"]) {
    if (!starts(entry, "step/")) continue;
    const std::vector<std::string> id = parts_of(entry["id"]);
    if (id.size() != 5) continue;
    std::vector<Step>& rows = steps[id[1]];
    if (rows.empty()) networks.push_back(id[1]);
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&](const Step& s) { return s.precision == id[2] && s.batch == id[3]; });
    if (row == rows.end()) {
      rows.push_back({.precision = id[2], .batch = id[3], .convoy = Json::object(), .peers = {}});
      row = rows.end() - 1;
    }
    if (id[4] == "convoy") {
      row->convoy = entry;
    } else {
      row->peers.emplace_back(id[4].substr(id[4].find('-') + 1), entry);
    }
  }
  for (const std::string& network : networks) {
    fmt::print(
        "\n## Training steps of `{}`\n\n"
        "| precision | batch | images/s | ms | floor ms | floor ÷ time | graph | best peer images/s | its "
        "mode | "
        "Convoy ÷ peer | forward ms | backward ms | exposed ms | update ms | set-up s |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        network);
    for (const Step& step : steps[network]) print_step(step);
  }
}

void print_trainings(const Json& results) {
  bool first = true;
  for (const Json& entry : results["entries"]) {
    if (!starts(entry, "train/")) continue;
    if (first) {
      fmt::print(
          "\n## Training from a store\n\n| run | images/s | input ms | forward ms | backward ms | exposed ms "
          "| update ms "
          "| input ÷ step |\n|---|---|---|---|---|---|---|---|\n");
    }
    first = false;
    const Json& seconds = entry["seconds"];
    double sum = 0;
    for (const Json& phase : seconds) sum += phase.get<double>();
    fmt::print("| {} | {:.0f} | {}{:.1f} % |\n", entry["id"].get<std::string>().substr(6),
               entry.value("value", 0.0), seconds_text(seconds),
               sum > 0 ? seconds.value("input", 0.0) / sum * 100 : 0);
  }
}

void print_losses(const Json& results) {
  bool first = true;
  for (const Json& entry : results["entries"]) {
    if (!starts(entry, "loss/")) continue;
    const std::vector<double> mine = entry["losses"], expected = entry["reference_losses"];
    if (first) {
      fmt::print(
          "\n## Losses of the same steps on the CPU and the GPU\n\nThe first, middle and last of {} steps; "
          "the largest "
          "relative difference from the CPU's in steps 1 to 3 and in all.\n\n"
          "| run | GPU | CPU | steps 1–3 | all |\n|---|---|---|---|---|\n",
          mine.size());
    }
    first = false;
    const auto some = [](const std::vector<double>& losses) {
      return fmt::format("{:.5f} … {:.5f} … {:.5f}", losses.front(), losses[losses.size() / 2],
                         losses.back());
    };
    fmt::print("| {} | {} | {} | {:.1e} | {:.1e} |\n", entry["id"].get<std::string>().substr(5), some(mine),
               some(expected), entry.value("value", 0.0), entry.value("difference_all", 0.0));
  }
}

void print_slowest(const Json& results) {
  std::vector<Json> timed;
  for (const Json& entry : results["entries"])
    if (starts(entry, "layer/") || starts(entry, "kernel/")) timed.push_back(entry);
  if (timed.empty()) return;
  const auto above = [](const Json& entry) {
    return entry.value("value", 0.0) - entry.value("floor_us", 0.0);
  };
  std::sort(timed.begin(), timed.end(), [&](const Json& a, const Json& b) { return above(a) > above(b); });
  timed.resize(std::min(timed.size(), listed));
  fmt::print(
      "\n## Layers and kernels furthest above their floors\n\n| layer or kernel | µs | floor µs | above it "
      "µs | floor ÷ time "
      "|\n|---|---|---|---|---|\n");
  for (const Json& entry : timed) {
    const double time = entry.value("value", 0.0), floor = entry.value("floor_us", 0.0);
    fmt::print("| {} | {:.1f} | {:.1f} | {:.1f} | {:.2f} |\n", entry["id"].get<std::string>(), time, floor,
               time - floor, floor / time);
  }
}

namespace {

// A candidate that was not chosen: its time, and why it could not be used.
std::string loser_text(const Json& trial) {
  const double milliseconds = trial.value("milliseconds", 0.0);
  std::string text =
      trial.value("name", "") + " " + (milliseconds > 0 ? fmt::format("{:.4f}", milliseconds) : "–");
  const std::string outcome = trial.value("outcome", "");
  if (outcome == "refused") text += " (refused)";
  if (outcome != "wrong") return text;
  const Json difference = trial.value("difference", Json());
  return text + (difference.is_number() ? fmt::format(" (wrong by {:.1e})", difference.get<double>())
                                        : std::string(" (not finite)"));
}

}  // namespace

void print_tuning(const Json& results) {
  const Json& tuning = results["tuning"];
  if (tuning.empty()) return;
  fmt::print(
      "\n## What was chosen by measurement\n\n| run | operation | chosen | source | the others, ms |\n"
      "|---|---|---|---|---|\n");
  int unmeasured = 0;
  for (const Json& decision : tuning) {
    if (decision.value("trials", Json::array()).empty()) {
      ++unmeasured;
      continue;
    }
    std::string chosen = decision.value("chosen", ""), others;
    for (const Json& trial : decision.value("trials", Json::array())) {
      if (trial.value("outcome", "") == "chosen") {
        chosen = fmt::format("{} {:.4f} ms", trial.value("name", ""), trial.value("milliseconds", 0.0));
      } else {
        others += (others.empty() ? "" : ", ") + loser_text(trial);
      }
    }
    fmt::print("| {} | {} | {} | {} | {} |\n", cell(decision.value("run", "")),
               cell(decision.value("what", "")), cell(chosen), cell(decision.value("source", "")),
               cell(others));
  }
  if (unmeasured > 0) fmt::print("\n{} further operations were decided without a measurement.\n", unmeasured);
}

void print_comparison(const Json& old_results, const Json& results) {
  struct Pair {
    std::string id, unit;
    double old_value, value, gain;  // gain: above 1 where it became better
  };
  std::map<std::string, double> before;
  for (const Json& entry : old_results["entries"]) before[entry.value("id", "")] = entry.value("value", 0.0);
  std::vector<Pair> pairs;
  for (const Json& entry : results["entries"]) {
    const auto found = before.find(entry.value("id", ""));
    if (found == before.end()) continue;
    const double value = entry.value("value", 0.0), old_value = found->second;
    const bool higher = entry.value("better", "") == "higher";
    // 0 in either file (no failed test, no difference of a loss): equal or without a ratio.
    const double gain = value == old_value ? 1 : higher ? value / old_value : old_value / value;
    pairs.push_back({found->first, entry.value("unit", ""), old_value, value, gain});
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
    return std::abs(std::log(a.gain)) > std::abs(std::log(b.gain));
  });
  const auto text = [](const Json& device) { return device.value("name", "an unknown device"); };
  fmt::print("\n## Compared with {} on {}\n\n", old_results["run"].value("begun", "an earlier run"),
             text(old_results["device"]));
  if (text(old_results["device"]) != text(results["device"]))
    fmt::print("**Another device: this run was on {}.**\n\n", text(results["device"]));
  fmt::print(
      "{} results are in both. “Better” is above 1 where this run is better.\n\n| result | unit | before | "
      "now | now ÷ before | "
      "better |\n|---|---|---|---|---|---|\n",
      pairs.size());
  for (const Pair& pair : pairs) {
    fmt::print("| {} | {} | {:.6g} | {:.6g} | {:.3f} | {:.3f} |\n", pair.id, pair.unit, pair.old_value,
               pair.value, pair.value == pair.old_value ? 1 : pair.value / pair.old_value, pair.gain);
  }
}

void print_notes(const Json& results) {
  if (results["notes"].empty()) return;
  fmt::print("\n## Notes\n\n");
  for (const Json& note : results["notes"]) fmt::print("* {}\n", cell(note.get<std::string>()));
}

void print_parts(const Json& results) {
  if (results["parts"].empty()) return;
  fmt::print("\n## Parts\n\n| part | outcome | s | |\n|---|---|---|---|\n");
  for (const Json& part : results["parts"]) {
    fmt::print("| {} | {} | {} | {} |\n", cell(part.value("name", "")), part.value("outcome", ""),
               part.value("seconds", 0), cell(part.value("reason", "")));
  }
}

}  // namespace convoy::gpu_benchmark
