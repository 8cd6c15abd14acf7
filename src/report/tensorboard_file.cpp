#include "report/tensorboard_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/host_name.hpp"
#include "base/text_list.hpp"
#include "picture/filter_grid.hpp"
#include "report/histogram.hpp"
#include "report/record_file.hpp"
#include "settings/key_values.hpp"
#include "settings/train_option.hpp"
#include "tensorboard.pb.h"

namespace convoy {
namespace {

namespace fs = std::filesystem;
namespace tb = tensorboard;

constexpr std::string_view name_prefix = "events.out.tfevents.";
constexpr int float_type = 1, string_type = 7;  // TensorFlow's numbers
constexpr int tensor_class = 2;
constexpr int filter_side = 64;  // pixels that a filter has at least in the image

tb::Event event_at(const WallClock& clock, std::int64_t step) {
  tb::Event event;
  event.set_wall_time(clock.seconds());
  event.set_step(step);
  return event;
}

std::vector<std::string> event_files_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with(name_prefix)) names.push_back(std::move(name));
  }
  return names;
}

void add_scalar(tb::Summary& summary, const char* tag, double value) {
  tb::Summary::Value& added = *summary.add_value();
  added.set_tag(tag);
  added.set_simple_value(static_cast<float>(value));
}

void add_text(tb::Summary& summary, const char* tag, std::string text) {
  tb::Summary::Value& added = *summary.add_value();
  added.set_tag(tag);
  added.mutable_metadata()->mutable_plugin_data()->set_plugin_name("text");
  added.mutable_metadata()->set_data_class(tensor_class);
  added.mutable_tensor()->set_dtype(string_type);
  added.mutable_tensor()->mutable_tensor_shape();  // of no dimensions: one text
  added.mutable_tensor()->add_string_val(std::move(text));
}

void add_histogram(tb::Summary& summary, const std::string& tag, const Histogram& histogram) {
  tb::Summary::Value& added = *summary.add_value();
  added.set_tag(tag);
  tb::HistogramProto& message = *added.mutable_histo();
  message.set_min(histogram.min);
  message.set_max(histogram.max);
  message.set_num(histogram.count);
  message.set_sum(histogram.sum);
  message.set_sum_squares(histogram.sum_squares);
  message.mutable_bucket_limit()->Add(histogram.limits.begin(), histogram.limits.end());
  message.mutable_bucket()->Add(histogram.counts.begin(), histogram.counts.end());
}

// The different ones among `texts`, in order.
std::string distinct(const std::vector<std::string>& texts) {
  return text_list(std::set<std::string>(texts.begin(), texts.end()));
}

// A table in Markdown, as TensorBoard shows texts.
std::string table_of(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string text = "| | |\n|---|---|\n";
  for (const auto& [key, value] : rows) {
    std::string cell;
    for (const char letter : value) cell += letter == '|' ? "\\|" : std::string(1, letter);
    text += fmt::format("| {} | {} |\n", key, cell);
  }
  return text;
}

std::string configuration_table(const RunRecord& record) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const KeyValue& entry : written_key_values(record.configuration))
    rows.emplace_back(entry.key, entry.value);
  return table_of(rows);
}

std::string environment_table(const RunRecord& record) {
  std::vector<std::pair<std::string, std::string>> rows{
      {"attempt", fmt::format("{}", record.attempt)},
      {"model", fmt::format("{} ({} parameters)", record.model, record.parameters)},
      {"batch", record.batch},
      {"ranks", fmt::format("{} on {}", record.ranks, distinct(record.hosts))},
      {"threads of a rank", fmt::format("{}", record.threads)},
      {"computes on", distinct(record.devices)},
      {"gradients summed by", record.collective},
      {"store", fmt::format("{} ({} training images, {} validation images)", record.store_fingerprint,
                            record.training_images, record.validation_images)}};
  rows.insert(rows.end(), record.versions.begin(), record.versions.end());
  return table_of(rows);
}

tb::SettingValue setting_value(const std::string& text) {
  tb::SettingValue value;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size())
    value.set_number_value(number);
  else
    value.set_string_value(text);
  return value;
}

// The options that decide the result, for TensorBoard's table of runs.
void add_settings(tb::Summary& summary, const RunRecord& record, double now) {
  std::set<std::string, std::less<>> names;
  for (const TrainOption& option : train_options())
    if (option.concern() == Concern::result) names.insert(option.name());
  tb::HParamsPluginData data;
  tb::SessionStartInfo& start = *data.mutable_session_start_info();
  start.set_start_time_secs(now);
  for (const KeyValue& entry : written_key_values(record.configuration))
    if (names.contains(entry.key.substr(0, entry.key.find('.'))))
      (*start.mutable_hparams())[entry.key] = setting_value(entry.value);
  tb::Summary::Value& added = *summary.add_value();
  added.set_tag("_hparams_/session_start_info");
  added.mutable_metadata()->mutable_plugin_data()->set_plugin_name("hparams");
  added.mutable_metadata()->mutable_plugin_data()->set_content(data.SerializeAsString());
  added.mutable_metadata()->set_data_class(tensor_class);
  added.mutable_tensor()->set_dtype(float_type);
  added.mutable_tensor()->mutable_tensor_shape()->add_dim()->set_size(0);
}

void add_filters(tb::Summary& summary, const WeightRecord& record) {
  const auto& parameters = record.table.parameters();
  const auto first =
      std::ranges::find_if(parameters, [](const Parameter& parameter) { return parameter.ordinal == 0; });
  if (first == parameters.end() || first->shape.size() != 4) return;
  const std::vector<int>& shape = first->shape;
  const FilterSet filters{record.parameters.subspan(first->offset, first->elements), shape[0], shape[1],
                          shape[2], shape[3]};
  const int magnify = std::max(1, filter_side / std::max(shape[2], shape[3]));
  const Picture picture = filter_grid(filters, FilterScale::each, magnify);
  tb::Summary::Value& added = *summary.add_value();
  added.set_tag("filters/" + first->layer);
  added.mutable_image()->set_width(picture.width);
  added.mutable_image()->set_height(picture.height);
  added.mutable_image()->set_colorspace(3);
  added.mutable_image()->set_encoded_image_string(png_bytes(picture));
}

}  // namespace

std::string event_file_name(std::int64_t seconds, int attempt, const std::vector<std::string>& others) {
  for (const std::string& other : others) {
    std::int64_t before = 0;
    const char* digits = other.data() + std::min(name_prefix.size(), other.size());
    if (std::from_chars(digits, other.data() + other.size(), before).ec == std::errc())
      seconds = std::max(seconds, before + 1);
  }
  return fmt::format("{}{:010}.{}.{}.{}", name_prefix, seconds, host_name(), ::getpid(), attempt);
}

struct TensorboardFile::Writer {
  fs::path path;
  RecordFile file;
  const Log& log;
  bool warned = false;

  void write(const tb::Event& event) {
    try {
      file.append(event.SerializeAsString());
    } catch (const Error& error) {
      if (!std::exchange(warned, true))
        log.warn("{}: figures for TensorBoard are being lost, and the run continues", error.what());
    }
  }
};

TensorboardFile::TensorboardFile(const fs::path& folder, const Log& log) : folder_(folder), log_(log) {}
TensorboardFile::~TensorboardFile() = default;

void TensorboardFile::on_start(const RunRecord& record) {
  const auto now = static_cast<std::int64_t>(clock_.seconds());
  const fs::path path = folder_ / event_file_name(now, record.attempt, event_files_in(folder_));
  try {
    writer_.reset(new Writer{path, RecordFile(path), log_});
  } catch (const Error& error) {
    log_.warn("{}: the run continues without files for TensorBoard", error.what());
    return;
  }
  tb::Event version = event_at(clock_, 0);
  version.set_file_version("brain.Event:2");
  writer_->write(version);
  // Readers drop events from this step on that earlier files hold; of the first START in a folder they take
  // no notice.
  tb::Event start = event_at(clock_, record.step > 0 ? record.step + 1 : 0);
  start.mutable_session_log()->set_status(tb::SessionLog::START);
  writer_->write(start);
  tb::Event texts = event_at(clock_, record.step);
  add_text(*texts.mutable_summary(), "configuration", configuration_table(record));
  add_text(*texts.mutable_summary(), "environment", environment_table(record));
  add_settings(*texts.mutable_summary(), record, clock_.seconds());
  writer_->write(texts);
}

void TensorboardFile::on_step(const StepRecord& record) {
  if (!writer_) return;
  tb::Event event = event_at(clock_, record.step);
  tb::Summary& summary = *event.mutable_summary();
  add_scalar(summary, "train/loss", record.loss);
  add_scalar(summary, "train/top1", record.top1);
  add_scalar(summary, "lr", record.rate);
  add_scalar(summary, "epoch", record.epoch);
  add_scalar(summary, "images_per_second", record.images_per_second);
  add_scalar(summary, "seconds/input", record.input_seconds);
  add_scalar(summary, "seconds/forward", record.forward_seconds);
  add_scalar(summary, "seconds/backward", record.backward_seconds);
  add_scalar(summary, "seconds/exposed", record.exposed_seconds);
  add_scalar(summary, "seconds/update", record.update_seconds);
  if (record.loss_scale) add_scalar(summary, "loss_scale", *record.loss_scale);
  writer_->write(event);
}

void TensorboardFile::on_validation(const ValidationRecord& record) {
  if (!writer_) return;
  tb::Event event = event_at(clock_, record.step);
  tb::Summary& summary = *event.mutable_summary();
  add_scalar(summary, "val/loss", record.loss);
  add_scalar(summary, "val/top1", record.top1);
  add_scalar(summary, "val/top5", record.top5);
  writer_->write(event);
}

void TensorboardFile::on_weights(const WeightRecord& record) {
  if (!writer_) return;
  tb::Event event = event_at(clock_, record.step);
  tb::Summary& summary = *event.mutable_summary();
  if (record.gradients.empty()) {
    add_filters(summary, record);
  } else {
    for (const Parameter& parameter : record.table.parameters()) {
      const auto values_of = [&](std::span<const float> buffer) {
        return histogram_of(buffer.subspan(parameter.offset, parameter.elements));
      };
      add_histogram(summary, "weights/" + parameter.path(), values_of(record.parameters));
      add_histogram(summary, "gradients/" + parameter.path(), values_of(record.gradients));
    }
  }
  if (summary.value_size() > 0) writer_->write(event);
}

}  // namespace convoy
