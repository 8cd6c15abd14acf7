#include "inference/evaluation.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/atomic_file.hpp"
#include "checkpoint/checkpoint.hpp"
#include "checkpoint/trained_model.hpp"
#include "checkpoint/weights_file.hpp"
#include "data/loader.hpp"
#include "data/shared_store.hpp"
#include "engine/device_plan.hpp"
#include "engine/loss_arithmetic.hpp"
#include "engine/thread_plan.hpp"
#include "model/networks.hpp"

namespace convoy {
namespace {

constexpr int crops = 10;

// Of the command `evaluate`: no batch takes as long, a lost rank is found all the same.
constexpr double watchdog_seconds = 600;

// How often ranks ask one another during an evaluation whether to stop: seldom enough to cost nothing.
constexpr std::int64_t batches_between_looks = 8;

// Whether any rank was asked to stop; collective.
bool stops(Communicator& communicator, const std::atomic<bool>& requested) {
  std::array<std::int64_t, 1> asked = {requested.load() ? 1 : 0};
  communicator.sum(std::span<std::int64_t>(asked));
  return asked[0] > 0;
}

// The softmax of each image, averaged over its ten crops, and the metrics of the average.
class TenCrop {
 public:
  TenCrop(Program& program, const InputSpec& input, int rows, int classes)
      : program_(program),
        input_(input),
        classes_(static_cast<std::size_t>(classes)),
        transforms_(static_cast<std::size_t>(rows)),
        probabilities_(transforms_.size() * classes_),
        sums_(probabilities_.size()) {}

  BatchMetrics run(const BatchView& batch) {
    const auto rows = static_cast<std::size_t>(batch.rows);
    std::fill(sums_.begin(), sums_.end(), 0.0);
    for (int view = 0; view < crops; ++view) {
      std::fill(transforms_.begin(), transforms_.end(),
                ten_crop_transform(input_.stored_side, input_.crop_side, view));
      BatchView cropped = batch;
      cropped.transforms = std::span(transforms_).first(rows);
      program_.forward(cropped, {});
      const std::span<float> probabilities = std::span(probabilities_).first(rows * classes_);
      program_.read_probabilities(probabilities);
      for (std::size_t i = 0; i < probabilities.size(); ++i) sums_[i] += probabilities[i];
    }
    return measure(batch);
  }

  // The averages of the last run, rows × classes.
  void read_probabilities(std::span<float> out) const {
    std::transform(sums_.begin(), sums_.begin() + static_cast<std::ptrdiff_t>(out.size()), out.begin(),
                   [](double sum) { return static_cast<float>(sum / crops); });
  }

 private:
  BatchMetrics measure(const BatchView& batch) {
    BatchMetrics metrics;
    std::vector<float> scores(classes_);
    for (int row = 0; row < batch.rows; ++row) {
      const double* sums = sums_.data() + static_cast<std::size_t>(row) * classes_;
      for (std::size_t i = 0; i < classes_; ++i) scores[i] = static_cast<float>(sums[i] / crops);
      const int label = batch.labels[static_cast<std::size_t>(row)];
      // The smallest float stands for a probability that vanished, as in the loss of a single pass.
      metrics.loss -= std::log(std::max(sums[label] / crops, 1.17549435e-38));
      const int rank = rank_of_label(scores, label);
      metrics.top1 += rank < 1;
      metrics.top5 += rank < 5;
      ++metrics.samples;
    }
    return metrics;
  }

  Program& program_;
  const InputSpec& input_;
  std::size_t classes_;
  std::vector<SampleTransform> transforms_;
  std::vector<float> probabilities_;
  std::vector<double> sums_;
};

// The predictions of one pass; `first`: the number of its first image in the split.
void collect_predictions(const BatchView& batch, std::span<const float> probabilities, std::int64_t first,
                         std::vector<SamplePrediction>& into) {
  const std::size_t classes = probabilities.size() / static_cast<std::size_t>(batch.rows);
  for (std::size_t row = 0; row < static_cast<std::size_t>(batch.rows); ++row)
    into.push_back(predict_sample(static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(row),
                                  batch.labels[row], probabilities.subspan(row * classes, classes)));
}

EvaluationResult share(Communicator& communicator, const BatchMetrics& mine) {
  std::array<std::int64_t, 3> counts = {mine.samples, mine.top1, mine.top5};
  std::array<double, 1> loss = {mine.loss};
  communicator.sum(std::span<std::int64_t>(counts));
  communicator.sum(std::span<double>(loss));
  const double samples = static_cast<double>(std::max<std::int64_t>(counts[0], 1));
  return {.samples = counts[0],
          .loss = loss[0] / samples,
          .top1 = static_cast<double>(counts[1]) / samples,
          .top5 = static_cast<double>(counts[2]) / samples};
}

// A file of another program says nothing of its images' size and fit: what was assumed can be changed.
void check_images(const EvaluationOptions& options, const Store& store, const TrainedModel& model) {
  const CheckpointHeader& header = model.header;
  const auto remedy = [&](const std::string& option) {
    return model.foreign ? fmt::format(", or the weights (convoy import {})", option) : std::string();
  };
  if (store.image_size != header.input.stored_side)
    fail(ExitCode::usage,
         "--data {}: its images are {} × {} pixels, but {} was trained on {} × {}; pack the data with "
         "--image-size {}{}",
         options.data, store.image_size, store.image_size, options.checkpoint, header.input.stored_side,
         header.input.stored_side, header.input.stored_side,
         remedy(fmt::format("--resize {}", store.image_size)));
  const std::string_view packed = word_of(fit_words(), store.fit);
  const std::string_view trained = word_of(fit_words(), header.fit);
  if (store.fit != header.fit)
    fail(
        ExitCode::usage,
        "--data {}: its images were packed with --fit {}, but {} was trained on --fit {}; pack the data with "
        "--fit {}{}",
        options.data, packed, options.checkpoint, trained, trained, remedy(fmt::format("--fit {}", packed)));
}

void check_classes(const EvaluationOptions& options, const Store& store, const CheckpointHeader& header) {
  // Weights that name no classes have the store's, in its order.
  const bool named = !are_numbered(header.classes);
  const auto same = [](const ClassEntry& left, const ClassEntry& right) { return left.id == right.id; };
  if (store.classes.size() > header.classes.size() ||
      (named && !std::equal(store.classes.begin(), store.classes.end(), header.classes.begin(), same)))
    fail(ExitCode::usage,
         "--data {}: its {} classes are not the {} classes that {} was trained on; pack the data with "
         "--class-list of the training store",
         options.data, store.classes.size(), header.classes.size(), options.checkpoint);
}

void check_store(const EvaluationOptions& options, const Store& store, const TrainedModel& model) {
  if (store.split(options.split).images == 0)
    fail(ExitCode::usage, "--data {}: the split {} has no images", options.data, options.split);
  check_images(options, store, model);
  check_classes(options, store, model.header);
}

}  // namespace

int rank_of_label(std::span<const float> scores, int label) {
  const float own = scores[static_cast<std::size_t>(label)];
  int before = 0;
  for (int index = 0; index < static_cast<int>(scores.size()); ++index)
    before += ranks_before(scores[static_cast<std::size_t>(index)], index, own, label) ? 1 : 0;
  return before;
}

Evaluator::Evaluator(const Store& store, Replica& replica, EvaluatorOptions options)
    : store_(store),
      options_(std::move(options)),
      memory_(replica.transfer_memory()),
      classes_(class_count(replica.spec())),
      program_(replica.compile(
          {.batch = options_.rows, .mode = Mode::evaluation, .precision = options_.precision})) {}

std::optional<EvaluationResult> Evaluator::run(Communicator& communicator, const EvaluationContext& context) {
  LoaderOptions options;
  options.split = options_.split;
  options.global_batch = std::int64_t{options_.rows} * communicator.size();
  options.rank = communicator.rank();
  options.ranks = communicator.size();
  options.shuffle = false;
  options.last_epoch = 1;
  options.workers = options_.workers;
  options.crop_side = options_.input.crop_side;
  options.memory = &memory_;
  options.copies = options_.copies;
  Loader loader(store_, options);
  TenCrop ten(*program_, options_.input, options_.ten_crop ? options_.rows : 0, classes_);
  BatchMetrics total;
  std::vector<SamplePrediction> predictions;  // of this rank's images
  std::vector<float> probabilities(
      context.predictions == nullptr ? 0 : static_cast<std::size_t>(options_.rows) * classes_);
  for (std::int64_t index = 0; index < loader.plan().steps_per_epoch(); ++index) {
    if (context.watchdog != nullptr) context.watchdog->beat("evaluation", context.step);
    if (context.stop_requested != nullptr && index % batches_between_looks == 0 &&
        stops(communicator, *context.stop_requested))
      return std::nullopt;
    if (context.meter != nullptr && index > 0) context.meter->show(index * options.global_batch);
    const BatchView& batch = loader.next();
    if (batch.rows == 0) continue;
    BatchMetrics metrics;
    if (options_.ten_crop) {
      metrics = ten.run(batch);
    } else {
      program_->forward(batch, {});
      metrics = program_->metrics();
    }
    total += metrics;
    if (context.predictions == nullptr) continue;
    const auto values = std::span(probabilities).first(static_cast<std::size_t>(batch.rows) * classes_);
    options_.ten_crop ? ten.read_probabilities(values) : program_->read_probabilities(values);
    collect_predictions(batch, values, index * options.global_batch + batch.first_position, predictions);
  }
  if (context.predictions != nullptr) *context.predictions = gather_predictions(communicator, predictions);
  return share(communicator, total);
}

EvaluationResult evaluate_checkpoint(const EvaluationOptions& options, Communicator& communicator,
                                     const Log& log) {
  if (options.global_batch < 1)
    fail(ExitCode::usage, "--global-batch {}: must be 1 or more", options.global_batch);
  const TrainedModel checkpoint = share_model(options.checkpoint, communicator);
  for (const std::string& note : checkpoint.notes) log.info("{}", note);
  const CheckpointHeader& header = checkpoint.header;
  const Store store = open_store(options.data, communicator);
  check_store(options, store, checkpoint);
  const ThreadPlan threads = plan_threads(options.threads, communicator);
  const DevicePlan device = plan_device(options.device, communicator);
  const std::unique_ptr<Replica> replica =
      make_replica(checkpoint.network, header.input,
                   {.device = device.kind,
                    .device_index = device.index,
                    .threads = threads.threads,
                    .agree = [&](const std::string& mine) { return communicator.broadcast_text(mine); },
                    .leads = communicator.rank() == 0});
  replica->write_parameters(checkpoint.parameters);
  const std::int64_t most =
      (store.split(options.split).images + communicator.size() - 1) / communicator.size();
  const std::int64_t rows = (options.global_batch + communicator.size() - 1) / communicator.size();
  Evaluator evaluator(store, *replica,
                      {.split = options.split,
                       .input = header.input,
                       .precision = options.precision,
                       .rows = static_cast<int>(std::min(rows, most)),
                       .workers = options.workers,
                       .ten_crop = options.ten_crop});
  log.info("evaluating {} (step {}) on {} images of {}; rank 0 computes on {}", options.checkpoint,
           header.step, store.split(options.split).images, options.data, device.description);
  Watchdog watchdog(communicator, log, watchdog_seconds);
  ProgressMeter meter(log, options.split, store.split(options.split).images);
  std::vector<SamplePrediction> predictions;
  const bool wanted = !options.predictions.empty();
  const std::optional<EvaluationResult> result =
      evaluator.run(communicator, {.watchdog = &watchdog,
                                   .step = header.step,
                                   .meter = &meter,
                                   .predictions = wanted ? &predictions : nullptr});
  if (wanted)
    communicator.on_rank_zero([&] {
      write_file_atomically(options.predictions, predictions_csv(predictions, store, options.split));
      return std::string();
    });
  return result.value();
}

}  // namespace convoy
