#include "comm/watchdog.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/host_name.hpp"
#include "base/unwinding.hpp"
#include "comm/collective.hpp"
#include "comm/mpi_calls.hpp"
#include "comm/rank_report.hpp"

namespace convoy {

namespace {

// Seconds that ranks may at least take before their first heartbeat: one of them may read a checkpoint from a
// slow disk while the others wait for it.
constexpr double start_limit = 600;

// A small message to one rank, sent repeatedly; a new one starts only after the last was sent.
class Sender {
 public:
  Sender(int to, MPI_Comm communicator) : to_(to), communicator_(communicator) {}
  bool idle() {
    int done = 0;
    check_mpi(MPI_Test(&request_, &done, MPI_STATUS_IGNORE), "MPI_Test");
    return done != 0;
  }
  void send(const RankReport& report) {
    report_ = report;
    check_mpi(MPI_Isend(&report_, sizeof report_, MPI_BYTE, to_, 0, communicator_, &request_), "MPI_Isend");
  }

 private:
  int to_;
  MPI_Comm communicator_;
  RankReport report_;
  MPI_Request request_ = MPI_REQUEST_NULL;
};

// Always ready to receive the next message of one rank.
class Receiver {
 public:
  Receiver(int from, MPI_Comm communicator) : from_(from), communicator_(communicator) {}
  // Stores the newest received message in `report`; false: there was none.
  bool take(RankReport& report) {
    bool any = false;
    for (;;) {
      if (request_ == MPI_REQUEST_NULL) {
        if (report_.leaving != 0) return any;  // nothing follows
        check_mpi(MPI_Irecv(&report_, sizeof report_, MPI_BYTE, from_, 0, communicator_, &request_),
                  "MPI_Irecv");
      }
      int done = 0;
      check_mpi(MPI_Test(&request_, &done, MPI_STATUS_IGNORE), "MPI_Test");
      if (!done) return any;
      report = report_;
      any = true;
    }
  }

 private:
  int from_;
  MPI_Comm communicator_;
  RankReport report_;
  MPI_Request request_ = MPI_REQUEST_NULL;
};

// A watched rank: rank 0 watches all others, the others watch rank 0.
struct Peer {
  Peer(int rank, MPI_Comm communicator)
      : number(rank), sender(rank, communicator), receiver(rank, communicator) {}
  int number;
  Sender sender;
  Receiver receiver;
  bool told_leaving = false;
  double heard_at = 0;
};

}  // namespace

struct Watchdog::State {
  State(Communicator& all_ranks, const Log& messages, double seconds)
      : communicator(all_ranks), log(messages), limit(seconds), rank(all_ranks.rank()) {
    const auto hosts = communicator.gather_texts(host_name());
    for (const auto& host : hosts) {
      views.emplace_back();
      views.back().host = host;
    }
    shared = limit > 0 && communicator.size() > 1 && communicator.thread_multiple();
    if (!shared) return;
    check_mpi(MPI_Comm_dup(communicator.state().control, &channel), "MPI_Comm_dup");
    for (int other = 0; other < communicator.size(); ++other)
      if (other != rank && (rank == 0 || other == 0)) peers.emplace_back(other, channel);
  }

  void run();
  void look_at_myself();
  void exchange();
  void decide();
  void look_at_collective();
  [[noreturn]] void end_group();
  bool everybody_left();

  Communicator& communicator;
  const Log& log;
  const double limit;
  const int rank;
  bool shared = false;  // ranks watch each other
  MPI_Comm channel = MPI_COMM_NULL;

  // Written by beat().
  std::atomic<const char*> phase{"start"};
  std::atomic<std::int64_t> step{0}, beats_of_step{0}, beats{0};

  // The thread's own.
  std::vector<RankView> views;  // by rank; the others know only themselves and rank 0
  std::vector<Peer> peers;
  double now = 0;  // seconds that this process was awake
  std::int64_t beats_seen = 0;
  double beat_at = 0;
  bool leaving = false;
  double asked_at = -1;  // when the collective was last polled; negative: never
  bool failed = false;   // its answer then

  std::mutex collective_mutex;  // held while the collective is used
  Collective* collective = nullptr;

  std::mutex mutex;
  std::condition_variable woken;
  bool stop = false, abandon = false;  // abandon: end without waiting for the other ranks
  UnwindDetector unwind;
  std::thread thread;
};

void Watchdog::State::look_at_myself() {
  const std::int64_t count = beats.load(std::memory_order_acquire);
  if (count != beats_seen) {
    beats_seen = count;
    beat_at = now;
  }
  RankView& mine = views[static_cast<std::size_t>(rank)];
  mine.silent = 0;
  RankReport& report = mine.report;
  const double grace = count == 0 ? std::max(0.0, start_limit - limit) : 0;
  report.age = std::max(0.0, now - beat_at - grace);
  report.step = step.load(std::memory_order_relaxed);
  report.beats_of_step = beats_of_step.load(std::memory_order_relaxed);
  const std::string_view text = phase.load(std::memory_order_relaxed);
  report.phase[text.copy(report.phase, sizeof report.phase - 1)] = '\0';
}

void Watchdog::State::exchange() {
  RankReport& mine = views[static_cast<std::size_t>(rank)].report;
  // Rank 0 leaves last, so that no other rank remains alone.
  bool others_left = true;
  for (Peer& peer : peers) {
    RankView& view = views[static_cast<std::size_t>(peer.number)];
    if (peer.receiver.take(view.report)) peer.heard_at = now;
    view.silent = now - peer.heard_at;
    others_left = others_left && view.report.leaving != 0;
  }
  mine.leaving = leaving && (rank != 0 || others_left) ? 1 : 0;
  for (Peer& peer : peers) {
    if (peer.told_leaving || !peer.sender.idle()) continue;
    peer.sender.send(mine);
    peer.told_leaving = mine.leaving != 0;
  }
}

// All messages are sent and received: none is in flight.
bool Watchdog::State::everybody_left() {
  return std::all_of(peers.begin(), peers.end(), [&](Peer& peer) {
    return peer.told_leaving && peer.sender.idle() &&
           views[static_cast<std::size_t>(peer.number)].report.leaving != 0;
  });
}

void Watchdog::State::decide() {
  if (limit <= 0) return;
  std::string verdict;
  if (!shared) {
    verdict = judge(std::span(views).subspan(static_cast<std::size_t>(rank), 1), limit);
  } else if (rank == 0) {
    verdict = judge(views, limit);
  } else if (views[0].silent >= limit * 1.1 + 5) {  // later than rank 0 would have decided
    verdict = judge(std::span(views).first(1), limit);
  }
  if (verdict.empty()) return;
  log.error("{}", verdict);
  end_group();
}

void Watchdog::State::look_at_collective() {
  if (now - asked_at < 1 && asked_at >= 0) return;
  asked_at = now;
  std::string failure;
  {
    const std::lock_guard lock(collective_mutex);
    if (collective != nullptr) failure = collective->failure();
  }
  // The first answer is ignored: see Watch.
  if (!failure.empty() && failed) {
    const RankView& mine = views[static_cast<std::size_t>(rank)];
    log.error("the gradient sum failed on rank {} on {} (phase {} of step {}): {}", rank, mine.host,
              mine.report.phase, mine.report.step, failure);
    end_group();
  }
  failed = !failure.empty();
}

void Watchdog::State::end_group() {
  {
    const std::lock_guard lock(collective_mutex);
    if (collective != nullptr) collective->abort();
  }
  communicator.abort(ExitCode::device);
}

void Watchdog::State::run() {
  const double interval = limit > 0 ? std::clamp(limit / 10, 0.02, 1.0) : 1.0;
  Stopwatch watch;
  try {
    for (;;) {
      look_at_myself();
      if (shared) exchange();
      decide();
      look_at_collective();
      if (leaving && (!shared || everybody_left())) return;

      std::unique_lock lock(mutex);
      // While leaving, poll the others' answers often.
      const auto pause = std::chrono::duration<double>(leaving ? std::min(interval, 0.005) : interval);
      if (leaving) {
        woken.wait_for(lock, pause, [&] { return abandon; });
      } else {
        woken.wait_for(lock, pause, [&] { return stop; });
      }
      leaving = stop;
      if (abandon) return;
      // A gap far longer than the pause: the process was suspended, and perhaps the others too.
      now += std::min(watch.restart(), 5 * interval + 1);
    }
  } catch (const std::exception& error) {
    log.error("watchdog: {}", error.what());
    communicator.abort(ExitCode::device);
  }
}

Watchdog::Watchdog(Communicator& communicator, const Log& log, double seconds) {
  state_ = std::make_unique<State>(communicator, log, seconds);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Watchdog::~Watchdog() {
  const bool unwinding = state_->unwind.unwinding();
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
    state_->abandon = unwinding;
  }
  state_->woken.notify_all();
  state_->thread.join();
  if (unwinding && state_->shared) {
    // Messages into this memory may still be in flight, and the process is about to end: it is never freed.
    static_cast<void>(state_.release());
    return;
  }
  if (state_->shared) MPI_Comm_free(&state_->channel);
}

void Watchdog::beat(const char* phase, std::int64_t step) {
  State& state = *state_;
  const bool same = state.step.load(std::memory_order_relaxed) == step;
  const std::int64_t before = same ? state.beats_of_step.load(std::memory_order_relaxed) : 0;
  state.phase.store(phase, std::memory_order_relaxed);
  state.step.store(step, std::memory_order_relaxed);
  state.beats_of_step.store(before + 1, std::memory_order_relaxed);
  still_working();
}

void Watchdog::still_working() {
  state_->beats.fetch_add(1, std::memory_order_release);
}

Watchdog::Watch::Watch(Watchdog& watchdog, Collective& collective) : watchdog_(watchdog) {
  const std::lock_guard lock(watchdog_.state_->collective_mutex);
  watchdog_.state_->collective = &collective;
}

Watchdog::Watch::~Watch() {
  const std::lock_guard lock(watchdog_.state_->collective_mutex);
  watchdog_.state_->collective = nullptr;
}

}  // namespace convoy
