#include "page_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "axis.hpp"
#include "base/text_list.hpp"

namespace convoy::scaling {
namespace {

// Within a table: bars separate columns there.
std::string cell(std::string text) {
  std::ranges::replace(text, '|', '/');
  std::ranges::replace(text, '\n', ' ');
  return text;
}

std::string milliseconds(double seconds) {
  return fmt::format("{:.{}f}", seconds * 1e3, seconds < 0.01 ? 3 : seconds < 1 ? 1 : 0);
}

std::string optional_number(const std::optional<double>& value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : std::string("–");
}

std::string text_of(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>()
                                                                         : std::string();
}

// A word for what is wrong with a point; empty: nothing.
std::string mark_of(const PointResult& result) {
  if (!result.measured()) return "failed";
  if (!result.failure.empty()) return "incomplete";
  return result.unsteady() ? "unsteady" : "";
}

std::string machine_text(const Results& results) {
  std::set<std::string> devices;
  int hosts = 1, ranks_of_a_host = 1;
  for (const PointResult& point : results.points) {
    if (!point.device.empty()) devices.insert(point.device);
    hosts = std::max(hosts, point.hosts);
    ranks_of_a_host = std::max(ranks_of_a_host, point.ranks_of_a_host);
  }
  const Json& machine = results.machine;
  std::string text = "## Machine\n\n| | |\n|---|---|\n";
  const auto line = [&text](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("| {} | {} |\n", name, cell(value));
  };
  line("hosts", fmt::format("{}, up to {} rank(s) on each", hosts, ranks_of_a_host));
  line("first host", text_of(machine, "host"));
  const std::string instructions = text_of(machine, "instructions");
  line("CPU", text_of(machine, "cpu") + (instructions.empty() ? "" : " (" + instructions + ")"));
  if (machine.contains("cores")) line("cores for Convoy", fmt::format("{}", machine.value("cores", 0)));
  if (machine.contains("memory_bytes"))
    line("memory", fmt::format("{:.1f} GiB", machine.value("memory_bytes", 0.0) / (1 << 30)));
  line("device", text_list(devices));
  line("system", text_of(machine, "kernel"));
  if (results.versions.is_object())
    for (const auto& [name, version] : results.versions.items())
      line(name.c_str(), version.is_string() ? version.get<std::string>() : version.dump());
  return text + "\n";
}

std::string run_text(const Results& results) {
  const Json& about = results.about;
  std::string text = "# Scaling of Convoy\n\n";
  if (about.is_object()) {
    text += fmt::format("Begun {} UTC", text_of(about, "begun"));
    const std::string commit = text_of(about, "commit");
    if (!commit.empty()) text += fmt::format(", commit {}", commit);
    text += fmt::format("; each point ran {} time(s), {} s without its warm-up.\n\n",
                        about.value("repeats", 0), number_text(about.value("seconds", 0.0)));
  }
  return text + fmt::format("```bash\n{}\n```\n\n", results.command);
}

std::string series_table(const Results& results, const SeriesResult& one) {
  std::string text = fmt::format("### {}\n\n", label_of(one.series));
  text +=
      "| ranks | hosts | global batch | images/s | least … most | efficiency | step ms | input | forward | "
      "backward | exposed | update | MB sent a step and rank | bus GB/s in the step | alone | |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (std::size_t i = 0; i < one.points.size(); ++i) {
    const PointResult& result = results.points[one.points[i]];
    text += fmt::format("| {} | ", result.point.ranks);
    if (!result.measured()) {
      text += fmt::format("| {} | | | | | | | | | | | | | **failed** |\n", result.point.global_batch);
      continue;
    }
    const Repeat& m = result.median;
    const std::string mark = mark_of(result);
    const std::string efficiency =
        one.efficiency[i] ? fmt::format("{:.1f} %", *one.efficiency[i] * 100) : std::string("–");
    text += fmt::format("{} | {} | {} | {} … {} | {} | {} | {} | {} | {} | {} | {} | ", result.hosts,
                        result.point.global_batch, number_text(m.images_per_second),
                        number_text(result.least), number_text(result.most), efficiency,
                        milliseconds(m.step_seconds), milliseconds(m.phases.input),
                        milliseconds(m.phases.forward), milliseconds(m.phases.backward),
                        milliseconds(m.phases.exposed), milliseconds(m.phases.update));
    text += fmt::format("{:.1f} | {} | {} | {} |\n", result.wire_bytes / 1e6,
                        optional_number(result.bus_in_step, 2), optional_number(result.bus_alone, 2),
                        mark.empty() ? mark : "**" + mark + "**");
  }
  return text + "\n";
}

std::string tables_text(const Results& results) {
  std::string text;
  for (const std::string& model : results.models()) {
    text += fmt::format("## {}\n\n", model);
    for (const SeriesResult& one : results.series)
      if (one.series.model == model) text += series_table(results, one);
  }
  return text;
}

// What a reader must know of single points.
std::string marks_text(const Results& results) {
  std::string text;
  const int cores = results.machine.value("cores", 0);
  for (const PointResult& result : results.points) {
    const std::string& name = result.point.name;
    if (!result.failure.empty()) text += fmt::format("* `{}`: {}\n", name, cell(result.failure));
    if (result.unsteady())
      text += fmt::format("* `{}`: the repeats vary by {:.0f} %.\n", name, result.spread() * 100);
    const int threads = result.ranks_of_a_host * result.threads;
    if (result.measured() && cores > 0 && threads > cores)
      text += fmt::format("* `{}`: {} threads share the {} cores of a host.\n", name, threads, cores);
  }
  return text.empty() ? text : "## Remarks on single points\n\n" + text + "\n";
}

constexpr const char* meaning = R"(## What the figures mean

* Each point is `convoy train` itself, with its loader, without validation and checkpoints. Drawn images come from
  `convoy synthesize`; they are read from a store like any others.
* images/s and times are medians over the repeats, after a warm-up. A point whose repeats vary by more than 10 %
  ((most − least) ÷ median) is marked as unsteady.
* Efficiency is images/s per rank against the smallest number of ranks of the same series. Weak scaling: each rank has
  the same batch; strong: all ranks together have it.
* The phases of a step are those of the rank that takes longest in each, so their sum can exceed the step. `exposed`
  is communication that computation did not hide, and waiting for slower ranks; the plot shows of it what is left to
  the last rank. On a GPU input overlaps with the other phases.
* "MB sent" is what each rank must send, and receive, in a step at the least: 2 (P − 1) ÷ P of the gradient.
* Bus GB/s in the step: these bytes ÷ the time in which at least one bucket of gradients was under way, from the trace
  of a few steps before the repeats, on the rank where that took least. Backward runs at the same time, and waiting
  for slower ranks counts, so the wire itself may be faster. Alone: `benchmark_allreduce` with buckets of the same
  8 MiB and nothing else running on these ranks.
)";

}  // namespace

std::string page_text(const Results& results) {
  return run_text(results) + machine_text(results) +
         "![Images per second and efficiency by number of ranks](throughput.svg)\n\n"
         "![Time of a step by phase](steps.svg)\n\n" +
         tables_text(results) + marks_text(results) + meaning;
}

}  // namespace convoy::scaling
