#include "report/page/run_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <utility>

#include "base/atomic_file.hpp"
#include "data/parallel_for.hpp"

namespace convoy {
namespace {

using JsonValue = nlohmann::json;

constexpr std::int64_t piece_bytes = std::int64_t{4} << 20;  // of the file, for one thread at a time
constexpr int threads = 4;

struct Key {
  std::string_view path;  // "seconds.input": within an object
  Column column;
};
constexpr std::array keys = {Key{"step", Column::step},
                             Key{"epoch", Column::epoch},
                             Key{"samples", Column::samples},
                             Key{"loss", Column::loss},
                             Key{"top1", Column::top1},
                             Key{"top5", Column::top5},
                             Key{"lr", Column::rate},
                             Key{"images_per_second", Column::speed},
                             Key{"attempt", Column::attempt},
                             Key{"seconds.input", Column::input},
                             Key{"seconds.forward", Column::forward},
                             Key{"seconds.backward", Column::backward},
                             Key{"seconds.exposed", Column::exposed},
                             Key{"seconds.update", Column::update},
                             Key{"ranks.least", Column::least},
                             Key{"ranks.median", Column::median},
                             Key{"ranks.most", Column::most},
                             Key{"ranks.slowest", Column::slowest},
                             Key{"seconds", Column::seconds}};

// One line, taken apart while it is parsed: no tree of its values is built.
class LineReader : public nlohmann::json_sax<JsonValue> {
 public:
  Columns::Row row;
  std::string kind, what, text, path, host;

  void begin() {
    row.fill(std::numeric_limits<double>::quiet_NaN());
    for (std::string* part : {&kind, &what, &text, &path, &host}) part->clear();
    depth_ = 0;
    column_ = nullptr;
    text_ = nullptr;
  }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t value) override { return number(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(static_cast<double>(value)); }
  bool number_float(number_float_t value, const string_t&) override { return number(value); }
  bool string(string_t& value) override {
    if (text_ != nullptr) *text_ = std::move(value);
    return true;
  }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    if (++depth_ == 2) prefix_ = name_ + ".";
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    depth_ += deep;  // nothing in a list is ours
    return true;
  }
  bool end_array() override {
    depth_ -= deep;
    return true;
  }
  bool key(string_t& value) override {
    column_ = nullptr;
    text_ = nullptr;
    if (depth_ < 1 || depth_ > 2) return true;
    name_ = depth_ == 1 ? value : prefix_ + value;
    const auto found = std::ranges::find(keys, name_, &Key::path);
    if (found != keys.end())
      column_ = &row[static_cast<std::size_t>(found->column)];
    else if (name_ == "kind")
      text_ = &kind;
    else if (name_ == "what")
      text_ = &what;
    else if (name_ == "text")
      text_ = &text;
    else if (name_ == "path")
      text_ = &path;
    else if (name_ == "ranks.host")
      text_ = &host;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const JsonValue::exception&) override { return false; }

 private:
  static constexpr int deep = 100;

  bool number(double value) {
    if (column_ != nullptr) *column_ = value;
    column_ = nullptr;
    return true;
  }

  int depth_ = 0;
  std::string name_, prefix_;
  double* column_ = nullptr;
  std::string* text_ = nullptr;
};

void add_record(LineReader& line, RunMetrics& metrics) {
  const auto value = [&](Column column) { return line.row[static_cast<std::size_t>(column)]; };
  const double step = value(Column::step);
  // Beyond 2^53 no run comes, and a double no longer counts.
  if (!(step >= 0 && step < 9e15)) {
    ++metrics.unreadable;
    return;
  }
  const auto at = static_cast<std::int64_t>(step);
  if (line.kind == "step") {
    metrics.steps.append(line.row);
    const double rank = value(Column::slowest);
    if (rank >= 0 && rank < 1e6 && !line.host.empty()) metrics.hosts[static_cast<int>(rank)] = line.host;
  } else if (line.kind == "validation") {
    metrics.validations.append(line.row);
  } else if (line.kind == "event") {
    metrics.events.push_back({.step = at, .what = line.what, .text = line.text, .seconds = 0});
  } else if (line.kind == "checkpoint") {
    metrics.checkpoints.push_back(
        {.step = at, .what = line.path, .text = {}, .seconds = value(Column::seconds)});
  }
}

RunMetrics parse_piece(std::string_view text) {
  RunMetrics metrics;
  LineReader line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view one = text.substr(0, end);
    const bool whole = end < text.size();
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    line.begin();
    if (JsonValue::sax_parse(one, &line))
      add_record(line, metrics);
    else if (whole)
      ++metrics.unreadable;
  }
  return metrics;
}

// Parts of the text of about `piece_bytes`, each of whole lines.
std::vector<std::string_view> pieces_of(std::string_view text) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    std::size_t end = text.size();
    if (end > static_cast<std::size_t>(piece_bytes)) {
      const std::size_t newline = text.find('\n', piece_bytes);
      if (newline != std::string_view::npos) end = newline + 1;
    }
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return pieces;
}

template <typename Value>
void move_behind(std::vector<Value>& all, std::vector<Value>& more) {
  std::move(more.begin(), more.end(), std::back_inserter(all));
}

}  // namespace

bool Columns::has(Column column) const {
  return std::ranges::any_of((*this)[column], [](double value) { return !std::isnan(value); });
}

void Columns::append(const Row& row) {
  for (std::size_t i = 0; i < row.size(); ++i) values_[i].push_back(row[i]);
}

void Columns::append(const Columns& others) {
  for (std::size_t i = 0; i < values_.size(); ++i)
    values_[i].insert(values_[i].end(), others.values_[i].begin(), others.values_[i].end());
}

void Columns::sort_by_step() {
  const std::vector<double>& steps = (*this)[Column::step];
  if (std::ranges::is_sorted(steps)) return;
  std::vector<std::size_t> order(rows());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t row) { return steps[row]; });
  for (std::vector<double>& column : values_) {
    std::vector<double> sorted(order.size());
    std::ranges::transform(order, sorted.begin(), [&](std::size_t row) { return column[row]; });
    column = std::move(sorted);
  }
}

RunMetrics parse_metrics(std::string_view text) {
  const std::vector<std::string_view> pieces = pieces_of(text);
  std::vector<RunMetrics> parts(pieces.size());
  parallel_for(static_cast<std::int64_t>(pieces.size()), threads,
               [&](std::int64_t piece) { parts[piece] = parse_piece(pieces[piece]); });
  RunMetrics all;
  for (RunMetrics& part : parts) {
    all.steps.append(part.steps);
    all.validations.append(part.validations);
    move_behind(all.events, part.events);
    move_behind(all.checkpoints, part.checkpoints);
    all.hosts.merge(part.hosts);
    all.unreadable += part.unreadable;
  }
  all.steps.sort_by_step();
  all.validations.sort_by_step();
  return all;
}

RunMetrics read_metrics(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {};
  return parse_metrics(read_text_file(path));
}

}  // namespace convoy
