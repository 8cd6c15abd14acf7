#include "inference/prediction.hpp"

#include <algorithm>
#include <numeric>

#include "checkpoint/trained_model.hpp"
#include "data/augmentation.hpp"

namespace convoy {
namespace {

constexpr int batch_rows = 8;  // images a pass

std::vector<Prediction> best(std::span<const float> scores, const std::vector<ClassEntry>& classes, int top) {
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int left, int right) {
    return scores[static_cast<std::size_t>(left)] > scores[static_cast<std::size_t>(right)];
  });
  order.resize(std::min(order.size(), static_cast<std::size_t>(std::max(top, 1))));
  std::vector<Prediction> predictions;
  for (const int index : order) {
    const auto i = static_cast<std::size_t>(index);
    predictions.push_back({.index = index, .entry = classes.at(i), .probability = scores[i]});
  }
  return predictions;
}

}  // namespace

Predictor::Predictor(const std::filesystem::path& checkpoint, DeviceKind device, Precision precision,
                     int threads) {
  TrainedModel model = load_model(checkpoint);
  replica_ =
      make_replica(model.network, model.header.input, {.device = resolve_device(device), .threads = threads});
  replica_->write_parameters(model.parameters);
  header_ = std::move(model.header);
  notes_ = std::move(model.notes);
  program_ = replica_->compile({.batch = batch_rows, .mode = Mode::evaluation, .precision = precision});
}

std::vector<std::vector<Prediction>> Predictor::predict(std::span<const std::vector<std::uint8_t>> images,
                                                        int top) {
  const auto side = static_cast<std::size_t>(stored_side());
  const std::size_t bytes = side * side * 3;
  const std::size_t classes = header_.classes.size();
  const std::vector<SampleTransform> transforms(
      batch_rows, centre_transform(header_.input.stored_side, header_.input.crop_side));
  const std::vector<std::int32_t> labels(batch_rows, 0);  // unused: only probabilities are read
  std::vector<std::uint8_t> pixels(batch_rows * bytes);
  std::vector<float> probabilities(batch_rows * classes);
  std::vector<std::vector<Prediction>> predictions;
  for (std::size_t first = 0; first < images.size(); first += batch_rows) {
    const std::size_t rows = std::min<std::size_t>(batch_rows, images.size() - first);
    for (std::size_t row = 0; row < rows; ++row) {
      ensure(images[first + row].size() == bytes, "an image to predict has the checkpoint's stored size");
      std::copy(images[first + row].begin(), images[first + row].end(),
                pixels.begin() + static_cast<std::ptrdiff_t>(row * bytes));
    }
    BatchView batch{.rows = static_cast<int>(rows),
                    .images = std::span(pixels).first(rows * bytes),
                    .labels = std::span(labels).first(rows),
                    .transforms = std::span(transforms).first(rows)};
    program_->forward(batch, {});
    program_->read_probabilities(std::span(probabilities).first(rows * classes));
    for (std::size_t row = 0; row < rows; ++row)
      predictions.push_back(
          best(std::span<const float>(probabilities).subspan(row * classes, classes), header_.classes, top));
  }
  return predictions;
}

}  // namespace convoy
