// metrics.jsonl in memory, for the report: numbers by column, so that half a million step records stay small
// and quick to search. Files of earlier versions lack some columns; a run that is being written has an
// incomplete last line.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace convoy {

// The numbers of `step` and `validation` records.
enum class Column : std::size_t {
  step,
  epoch,
  samples,
  loss,
  top1,
  top5,
  rate,
  speed,
  attempt,
  input,
  forward,
  backward,
  exposed,
  update,
  least,
  median,
  most,
  slowest,
  seconds,
  count
};

// Records of one kind, ordered by step. A value that is absent or null is NaN.
class Columns {
 public:
  using Row = std::array<double, static_cast<std::size_t>(Column::count)>;

  const std::vector<double>& operator[](Column column) const {
    return values_[static_cast<std::size_t>(column)];
  }
  std::size_t rows() const { return values_[0].size(); }
  bool empty() const { return rows() == 0; }
  // Whether any record has a number there.
  bool has(Column column) const;

  void append(const Row& row);
  void append(const Columns& others);
  void sort_by_step();

 private:
  std::array<std::vector<double>, static_cast<std::size_t>(Column::count)> values_;
};

struct TextRecord {
  std::int64_t step = 0;
  std::string what, text;  // of a checkpoint: its path and nothing
  double seconds = 0;      // of a checkpoint
};

struct RunMetrics {
  Columns steps, validations;
  std::vector<TextRecord> events, checkpoints;  // in the order of the file
  std::map<int, std::string> hosts;             // of the ranks that were the slowest in some record
  std::int64_t unreadable = 0;  // lines that are no records; an incomplete last one is not counted
};

RunMetrics parse_metrics(std::string_view text);

// Throws ExitCode::io if the file cannot be read; an absent file gives no records.
RunMetrics read_metrics(const std::filesystem::path& path);

}  // namespace convoy
