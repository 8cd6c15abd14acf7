#include "data/loader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <memory_resource>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "data/shard_reader.hpp"

namespace convoy {

namespace {

// A piece of a batch, the unit of work of a worker.
struct Piece {
  std::int64_t batch = 0;  // since the loader's start
  int index = 0;
};

// The memory of one batch and its progress.
struct BatchBuffer {
  explicit BatchBuffer(std::pmr::memory_resource* memory)
      : images(memory), labels(memory), transforms(memory) {}

  std::pmr::vector<std::uint8_t> images;
  std::pmr::vector<std::int32_t> labels;
  std::pmr::vector<SampleTransform> transforms;
  BatchView view;
  // Guarded by the loader's mutex:
  int pieces_left = 0;
  std::exception_ptr error;
  int error_piece = 0;
};

BatchPlan make_plan(const LoaderOptions& options, std::int64_t images) {
  ensure(options.global_batch > 0 && options.accumulate > 0 && options.ranks > 0 && options.rank >= 0 &&
             options.rank < options.ranks && options.buffers > 0 && options.held >= 0 && options.workers > 0,
         "the loader's options are consistent");
  return {images, options.global_batch, options.ranks, options.accumulate};
}

}  // namespace

struct Loader::State {
  State(const Store& store, const LoaderOptions& given);

  LoaderOptions options;
  BatchPlan plan;
  ShardReader reader;
  int stored_side;
  std::int64_t first_batch = 0;  // of the whole run, at which this loader starts
  std::int64_t batches;          // to deliver; -1: unlimited
  int pieces;                    // per batch

  // Orders of the epochs being read: the current one's and, near its end, the next one's.
  struct Order {
    std::int64_t epoch = -1;
    std::shared_ptr<const std::vector<std::uint32_t>> ids;
  };
  std::mutex order_mutex;
  Order orders[2];

  std::mutex mutex;
  std::condition_variable_any room;  // a buffer is free; a request to stop also wakes it
  std::condition_variable filled;
  std::vector<BatchBuffer> buffers;
  Piece next_piece;           // to be claimed
  std::int64_t taken = 0;     // calls of next()
  std::int64_t released = 0;  // batches whose buffers are free again
  double waited = 0;
  std::vector<std::jthread> workers;

  // The position of a batch in the run.
  struct Position {
    std::int64_t epoch, step;
    int micro;
  };
  Position position_of(std::int64_t batch) const;
  std::shared_ptr<const std::vector<std::uint32_t>> order(std::int64_t epoch);
  std::vector<std::uint32_t> make_order(std::int64_t epoch) const;
  void work(const std::stop_token& stop, TimelineRow* row);
  void begin(BatchBuffer& buffer, std::int64_t batch) const;
  void fill(BatchBuffer& buffer, const Piece& piece);
};

Loader::State::State(const Store& store, const LoaderOptions& given)
    : options(given),
      plan(make_plan(given, store.split(given.split).images)),
      reader(store, given.split, shards_kept_open(), given.copies),
      stored_side(store.image_size) {
  if (plan.images == 0)
    fail(ExitCode::bad_data, "the split '{}' of {} contains no images", given.split, store.folder.string());
  if (given.crop_side < 1 || given.crop_side > stored_side)
    fail(ExitCode::usage,
         "the network's input is {} × {} pixels, but the store {} contains images of {} × {}; "
         "pack one with --image-size {} or more",
         given.crop_side, given.crop_side, store.folder.string(), stored_side, stored_side, given.crop_side);
  ensure(given.first_sample % given.global_batch == 0 && given.first_sample < plan.images,
         "a run resumes between two steps");
  const std::int64_t per_epoch = plan.steps_per_epoch() * plan.accumulate;
  first_batch =
      given.first_epoch * per_epoch + given.first_sample / given.global_batch * std::int64_t{plan.accumulate};
  batches = given.last_epoch < 0 ? -1 : std::max<std::int64_t>(0, given.last_epoch * per_epoch - first_batch);

  const int rows = plan.rows_at_most();
  pieces = std::clamp(rows / 4, 1, given.workers);  // fewer than four images do not justify a thread
  std::pmr::memory_resource* memory =
      given.memory != nullptr ? given.memory : std::pmr::get_default_resource();
  const std::size_t image_bytes = std::size_t{3} * stored_side * stored_side;
  const int buffers_wanted = given.buffers + given.held;
  buffers.reserve(static_cast<std::size_t>(buffers_wanted));
  for (int i = 0; i < buffers_wanted; ++i) {
    BatchBuffer& buffer = buffers.emplace_back(memory);
    buffer.images.resize(static_cast<std::size_t>(rows) * image_bytes);
    buffer.labels.resize(static_cast<std::size_t>(rows));
    buffer.transforms.resize(static_cast<std::size_t>(rows));
  }
}

Loader::State::Position Loader::State::position_of(std::int64_t batch) const {
  const std::int64_t whole = first_batch + batch;
  const std::int64_t step = whole / plan.accumulate;
  return {step / plan.steps_per_epoch(), step % plan.steps_per_epoch(),
          static_cast<int>(whole % plan.accumulate)};
}

std::vector<std::uint32_t> Loader::State::make_order(std::int64_t epoch) const {
  const auto number = static_cast<std::uint32_t>(epoch);
  if (options.shuffle_by_node) return sample_order_by_node(options.seed, number, plan, options.nodes);
  return sample_order(options.seed, number, plan.images);
}

// The epoch's order; computed by the first worker that needs it, while others that need it wait.
std::shared_ptr<const std::vector<std::uint32_t>> Loader::State::order(std::int64_t epoch) {
  const std::scoped_lock lock(order_mutex);
  Order& kept = orders[epoch % 2];
  if (kept.epoch != epoch)
    kept = {epoch, std::make_shared<const std::vector<std::uint32_t>>(make_order(epoch))};
  return kept.ids;
}

// Prepares a buffer for a batch; called under the mutex, before any of its pieces is filled.
void Loader::State::begin(BatchBuffer& buffer, std::int64_t batch) const {
  const Position position = position_of(batch);
  const Range rows = plan.rows(position.step, options.rank, position.micro);
  const auto count = static_cast<std::size_t>(rows.size());
  const std::size_t image_bytes = std::size_t{3} * stored_side * stored_side;
  buffer.pieces_left = pieces;
  buffer.error = nullptr;
  buffer.view = {static_cast<int>(count), std::span(buffer.images).first(count * image_bytes),
                 std::span(buffer.labels).first(count), std::span(buffer.transforms).first(count),
                 rows.begin};
}

void Loader::State::fill(BatchBuffer& buffer, const Piece& piece) {
  const Range part = part_of(buffer.view.rows, pieces, piece.index);
  if (part.size() == 0) return;
  const Position position = position_of(piece.batch);
  const auto count = static_cast<std::size_t>(part.size());
  // Positions in the epoch's order.
  const std::int64_t first = position.step * plan.global_batch + buffer.view.first_position + part.begin;
  std::vector<std::uint32_t> ids(count);
  if (options.shuffle) {
    const auto epoch_order = order(position.epoch);
    std::copy_n(epoch_order->begin() + first, count, ids.begin());
  } else {
    for (std::size_t i = 0; i < count; ++i)
      ids[i] = static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(i);
  }
  const auto begin = static_cast<std::size_t>(part.begin);
  const std::size_t image_bytes = std::size_t{3} * stored_side * stored_side;
  reader.read(ids, std::span(buffer.images).subspan(begin * image_bytes, count * image_bytes),
              std::span(buffer.labels).subspan(begin, count));
  for (std::size_t i = 0; i < count; ++i) {
    buffer.transforms[begin + i] =
        training_transform(options.augmentation, stored_side, options.crop_side, options.seed,
                           static_cast<std::uint32_t>(position.epoch), ids[i]);
  }
}

// The loop of each worker: claim the next piece whose buffer is free, fill it, report.
void Loader::State::work(const std::stop_token& stop, TimelineRow* row) {
  std::unique_lock lock(mutex);
  for (;;) {
    const auto buffer_count = static_cast<std::int64_t>(buffers.size());
    const auto finished = [&] { return batches >= 0 && next_piece.batch >= batches; };
    room.wait(lock, stop, [&] { return finished() || next_piece.batch < released + buffer_count; });
    if (stop.stop_requested() || finished()) return;
    const Piece piece = next_piece;
    BatchBuffer& buffer = buffers[static_cast<std::size_t>(piece.batch % buffer_count)];
    if (piece.index == 0) begin(buffer, piece.batch);
    next_piece = piece.index + 1 < pieces ? Piece{piece.batch, piece.index + 1} : Piece{piece.batch + 1, 0};
    lock.unlock();
    std::exception_ptr error;
    try {
      const TimelineScope scope(
          row, "read and check",
          {{"step", (first_batch + piece.batch) / plan.accumulate + 1}, {"part", piece.index}});
      fill(buffer, piece);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    // Of several errors in a batch, the one nearest its start is reported, whichever occurred first.
    if (error && (!buffer.error || piece.index < buffer.error_piece)) {
      buffer.error = error;
      buffer.error_piece = piece.index;
    }
    if (--buffer.pieces_left == 0) filled.notify_one();
  }
}

Loader::Loader(const Store& store, const LoaderOptions& options)
    : state_(std::make_unique<State>(store, options)) {
  for (int i = 0; i < options.workers; ++i) {
    TimelineRow* row =
        options.timeline != nullptr ? &options.timeline->row(fmt::format("loader {}", i + 1)) : nullptr;
    state_->workers.emplace_back(
        [state = state_.get(), row](const std::stop_token& stop) { state->work(stop, row); });
  }
}

Loader::~Loader() {
  for (std::jthread& worker : state_->workers) worker.request_stop();  // all at once, before any is joined
}

const BatchPlan& Loader::plan() const {
  return state_->plan;
}

const BatchView& Loader::next() {
  State& state = *state_;
  const Stopwatch watch;
  std::unique_lock lock(state.mutex);
  ensure(state.batches < 0 || state.taken < state.batches, "the loader has no more batches");
  const std::int64_t batch = state.taken;
  if (state.released < batch - state.options.held) {
    state.released = batch - state.options.held;  // the oldest held buffer returns to the workers
    state.room.notify_all();
  }
  BatchBuffer& buffer =
      state.buffers[static_cast<std::size_t>(batch % static_cast<std::int64_t>(state.buffers.size()))];
  state.filled.wait(lock, [&] {
    const bool begun = state.next_piece.batch > batch;  // all of its pieces have been claimed
    return begun && buffer.pieces_left == 0;
  });
  state.waited = watch.seconds();
  if (buffer.error) std::rethrow_exception(buffer.error);  // again at the next call: the error is permanent
  ++state.taken;
  return buffer.view;
}

double Loader::waited_seconds() const {
  return state_->waited;
}

}  // namespace convoy
