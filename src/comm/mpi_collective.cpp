#include "comm/mpi_collective.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/unwinding.hpp"
#include "comm/slice_pieces.hpp"
#include "comm/slice_sum.hpp"

namespace convoy {

namespace {

// One rank: its values are the sum.
class NoCollective final : public Collective {
 public:
  std::string_view name() const override { return "none"; }
  void start(std::span<float>) override {}
  void progress() override {}
  void finish_next() override {}
  bool capturable() const override { return true; }
};

// The queue of slices and the pieces in flight; independent of threads.
class SliceQueue {
 public:
  SliceQueue(MPI_Comm other, Timeline* timeline)
      : communicator_(other), row_(timeline != nullptr ? &timeline->row("all-reduce") : nullptr) {
    int ranks = 1;
    check_mpi(MPI_Comm_size(other, &ranks), "MPI_Comm_size");
    piece_elements_ = slice_piece_elements(ranks);
  }
  ~SliceQueue() {
    // An error ended the step in the middle: MPI may still write into the pieces in flight, so they are never
    // freed. Freeing the communicator is collective, and after an error the other ranks may be elsewhere. In
    // both cases the process is about to end.
    if (!idle()) {
      static_cast<void>(under_way_.release());
    } else if (!unwind_.unwinding()) {
      communicator_.free();
    }
  }
  SliceQueue(const SliceQueue&) = delete;
  SliceQueue& operator=(const SliceQueue&) = delete;

  // `ready`: when the slice was handed over (now_if_recorded). `number`: in its step.
  void add(std::span<float> slice, double ready, std::int64_t number) {
    if (row_ != nullptr) recorded_.push_back({ready, number, static_cast<std::int64_t>(slice.size_bytes())});
    do {
      const auto piece = slice.first(std::min(slice.size(), piece_elements_));
      slice = slice.subspan(piece.size());
      waiting_.push_back({piece, slice.empty()});
    } while (!slice.empty());
    fill();
  }

  // Progresses everything in flight and starts waiting pieces where possible.
  void advance() {
    for (auto& piece : *under_way_) piece.done = piece.done || piece.sum.advance();
    while (!under_way_->empty() && under_way_->front().done) {
      if (under_way_->front().last) {
        ++finished_;
        record();
      }
      spare_scratch_.push_back(under_way_->front().sum.take_scratch());
      under_way_->pop_front();
    }
    fill();
  }

  double now_if_recorded() const { return row_ != nullptr ? timeline_now() : 0; }
  bool idle() const { return under_way_->empty() && waiting_.empty(); }
  std::int64_t finished() const { return finished_; }  // slices since the start

 private:
  struct Waiting {
    std::span<float> piece;
    bool last;  // of its slice
  };
  struct UnderWay {
    SliceSum sum;
    bool last;
    bool done = false;
  };

  struct Recorded {
    double ready;
    std::int64_t number, bytes;
  };

  // The oldest slice is summed.
  void record() {
    if (row_ == nullptr) return;
    const Recorded& slice = recorded_.front();
    row_->add("bucket", slice.ready, timeline_now(), {{"bucket", slice.number}, {"bytes", slice.bytes}});
    recorded_.pop_front();
  }

  void fill() {
    while (!waiting_.empty() && under_way_->size() < slice_pieces_in_flight) {
      std::vector<float> scratch;
      if (!spare_scratch_.empty()) {
        scratch = std::move(spare_scratch_.back());
        spare_scratch_.pop_back();
      }
      const Waiting next = waiting_.front();
      under_way_->push_back(
          {SliceSum(next.piece, pieces_, communicator_.get(), std::move(scratch)), next.last});
      waiting_.pop_front();
      ++pieces_;
    }
  }

  OwnedCommunicator communicator_;
  TimelineRow* row_;
  std::deque<Recorded> recorded_;  // slices that are not summed yet, where they are recorded
  std::deque<Waiting> waiting_;
  std::unique_ptr<std::deque<UnderWay>> under_way_ = std::make_unique<std::deque<UnderWay>>();
  std::vector<std::vector<float>> spare_scratch_;
  std::size_t piece_elements_ = 0;
  std::int64_t pieces_ = 0, finished_ = 0;
  const UnwindDetector unwind_;
};

// Without a spare core: the compute thread's calls do all the work.
class ProgressedCollective final : public Collective {
 public:
  ProgressedCollective(MPI_Comm other, Timeline* timeline) : queue_(other, timeline) {}
  std::string_view name() const override { return "mpi"; }
  void begin() override { started_ = 0; }
  void start(std::span<float> slice) override {
    queue_.add(slice, queue_.now_if_recorded(), started_++);
    queue_.advance();
  }
  void progress() override { queue_.advance(); }
  void finish_next() override {
    ++awaited_;
    for (queue_.advance(); queue_.finished() < awaited_; queue_.advance()) std::this_thread::yield();
  }

 private:
  SliceQueue queue_;
  std::int64_t awaited_ = 0, started_ = 0;  // started_: in this step
};

// With a spare core: a thread drives the queue; finish_next throws its errors.
class ThreadedCollective final : public Collective {
 public:
  ThreadedCollective(MPI_Comm other, Timeline* timeline)
      : queue_(other, timeline), thread_([this] { run(); }) {}
  ~ThreadedCollective() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  ThreadedCollective(const ThreadedCollective&) = delete;
  ThreadedCollective& operator=(const ThreadedCollective&) = delete;

  std::string_view name() const override { return "mpi"; }
  void begin() override { next_ = 0; }
  void start(std::span<float> slice) override {
    {
      const std::lock_guard lock(mutex_);
      started_.push_back({slice, queue_.now_if_recorded(), next_++});
    }
    changed_.notify_all();
  }
  void progress() override {}
  void finish_next() override {
    std::unique_lock lock(mutex_);
    ++awaited_;
    changed_.wait(lock, [&] { return finished_ >= awaited_ || error_; });
    if (finished_ < awaited_) std::rethrow_exception(error_);
  }

 private:
  struct Started {
    std::span<float> slice;
    double ready;
    std::int64_t number;
  };

  void run() {
    try {
      while (take_started()) {
        queue_.advance();
        if (queue_.finished() != finished_) {
          {
            const std::lock_guard lock(mutex_);
            finished_ = queue_.finished();
          }
          changed_.notify_all();
        } else {
          std::this_thread::yield();
        }
      }
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        error_ = std::current_exception();
      }
      changed_.notify_all();
    }
  }

  // Passes new slices to the queue; sleeps while there is nothing to do. False: the thread ends.
  bool take_started() {
    std::unique_lock lock(mutex_);
    if (queue_.idle()) changed_.wait(lock, [&] { return stopping_ || !started_.empty(); });
    if (stopping_) return false;
    const auto started = std::exchange(started_, {});
    lock.unlock();
    for (const Started& one : started) queue_.add(one.slice, one.ready, one.number);
    return true;
  }

  SliceQueue queue_;  // the thread's own
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Started> started_;
  std::int64_t next_ = 0;  // number of the next slice of this step
  std::int64_t finished_ = 0, awaited_ = 0;
  bool stopping_ = false;
  std::exception_ptr error_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<Collective> make_mpi_collective(Communicator& communicator, bool spare_core,
                                                Timeline* timeline) {
  if (communicator.size() == 1) return std::make_unique<NoCollective>();
  const MPI_Comm control = communicator.state().control;
  if (spare_core && communicator.thread_multiple())
    return std::make_unique<ThreadedCollective>(control, timeline);
  return std::make_unique<ProgressedCollective>(control, timeline);
}

}  // namespace convoy
