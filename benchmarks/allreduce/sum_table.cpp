#include "sum_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace convoy::benchmark {
namespace {

using Json = nlohmann::ordered_json;

Json json_row(const SumRow& row, int ranks, const char* bytes) {
  return {{"how", row.how},
          {bytes, row.bytes},
          {"seconds", row.time.seconds},
          {"least", row.time.least},
          {"most", row.time.most},
          {"algbw", algorithm_bandwidth(row)},
          {"busbw", bus_bandwidth(row, ranks)}};
}

}  // namespace

double algorithm_bandwidth(const SumRow& row) {
  return row.time.seconds > 0 ? static_cast<double>(row.whole) / row.time.seconds / 1e9 : 0;
}

double bus_bandwidth(const SumRow& row, int ranks) {
  return 2.0 * (ranks - 1) / ranks * algorithm_bandwidth(row);
}

SumTime time_of(std::vector<double> seconds) {
  std::ranges::sort(seconds);
  const std::size_t middle = seconds.size() / 2;
  const double median =
      seconds.size() % 2 == 1 ? seconds[middle] : 0.5 * (seconds[middle - 1] + seconds[middle]);
  return {.seconds = median, .least = seconds.front(), .most = seconds.back()};
}

std::string table_head(const SumResults& results, std::string_view what) {
  return fmt::format("#\n# {}, {} rank(s) on {} host(s), {}, in place\n", what, results.ranks, results.hosts,
                     results.device) +
         fmt::format("# {:>13} {:>12} {:>9} {:>6} {:>14} {:>10} {:>8} {:>8} {:>7}\n", "size", "count", "type",
                     "redop", "how", "time", "algbw", "busbw", "#wrong") +
         fmt::format("# {:>13} {:>12} {:>9} {:>6} {:>14} {:>10} {:>8} {:>8} {:>7}\n", "(B)", "(elements)", "",
                     "", "", "(us)", "(GB/s)", "(GB/s)", "");
}

std::string table_line(const SumResults& results, const SumRow& row) {
  return fmt::format("  {:>13} {:>12} {:>9} {:>6} {:>14} {:>10.{}f} {:>8.2f} {:>8.2f} {:>7}\n", row.bytes,
                     row.bytes / results.element_bytes, results.type, "sum", row.how, row.time.seconds * 1e6,
                     row.time.seconds < 1e-3 ? 2 : 0, algorithm_bandwidth(row),
                     bus_bandwidth(row, results.ranks), row.wrong);
}

Json to_json(const SumResults& results) {
  Json json = {{"benchmark", "allreduce"},       {"version", 1},
               {"convoy", results.convoy},       {"library", results.library},
               {"transport", results.transport}, {"type", results.type},
               {"ranks", results.ranks},         {"hosts", results.hosts},
               {"device", results.device},       {"rows", Json::array()}};
  for (const SumRow& row : results.rows) {
    Json line = json_row(row, results.ranks, "bytes");
    line["wrong"] = row.wrong;
    json["rows"].push_back(std::move(line));
  }
  if (results.gradient.empty()) return json;
  Json rows = Json::array();
  for (const SumRow& row : results.gradient) rows.push_back(json_row(row, results.ranks, "bucket_bytes"));
  json["gradient"] = {{"bytes", results.gradient_bytes}, {"rows", std::move(rows)}};
  return json;
}

}  // namespace convoy::benchmark
