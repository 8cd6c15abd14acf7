#include "train/run_deadline.hpp"

#include <fmt/chrono.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/duration_text.hpp"
#include "base/error.hpp"
#include "comm/slurm_job.hpp"
#include "train/deadline_plan.hpp"

namespace convoy {
namespace {

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A point in time on this machine's clock, with the date if it is not today.
std::string time_text(std::int64_t seconds) {
  const std::time_t then = seconds, now = std::time(nullptr);
  std::tm at{}, today{};
  ::localtime_r(&then, &at);
  ::localtime_r(&now, &today);
  const bool same_day = at.tm_year == today.tm_year && at.tm_yday == today.tm_yday;
  return same_day ? fmt::format("{:%H:%M:%S}", at) : fmt::format("{:%Y-%m-%d %H:%M:%S}", at);
}

}  // namespace

struct RunDeadline::State {
  State(std::uint64_t checkpoint_bytes, const Log& messages, std::atomic<bool>& stop)
      : log(messages), stop_requested(stop), pace(checkpoint_bytes) {}

  void begin(const Deadline& deadline, double running_seconds);
  void set_end(double seconds_left, std::string name);
  void watch();
  void ask();
  void take(const SlurmAnswer& answer);
  void take_end(std::int64_t end);
  double left() const { return end_after - since_start.seconds(); }

  const Log& log;
  std::atomic<bool>& stop_requested;
  Stopwatch since_start;
  // The thread's own after the start. Ends are counted on the steady clock, so that a clock that is set does
  // not move them.
  std::optional<SlurmJob> job;
  std::optional<SlurmQuestion> question;
  double next_question = 0;
  bool told_of_problem = false;
  std::optional<std::int64_t> job_end;
  bool has_end = false;
  double end_after = 0, allotted = 0;  // seconds after this object was made; of the whole run
  double ran_before = 0;               // seconds from the start of the program to then
  std::string end_name;

  mutable std::mutex mutex;
  std::condition_variable changed;
  Pace pace;
  std::string reason;
  bool stopping = false;
  std::thread thread;
};

void RunDeadline::State::set_end(double seconds_left, std::string name) {
  has_end = true;
  end_after = since_start.seconds() + seconds_left;
  allotted = ran_before + end_after;
  end_name = std::move(name);
}

void RunDeadline::State::begin(const Deadline& deadline, double running_seconds) {
  ran_before = running_seconds;
  switch (deadline.kind) {
    case Deadline::Kind::none:
      return;
    case Deadline::Kind::after:
      set_end(static_cast<double>(deadline.seconds) - running_seconds, "--deadline " + deadline.text);
      return;
    case Deadline::Kind::at: {
      const double seconds = static_cast<double>(deadline.seconds) - seconds_since_1970();
      if (seconds <= 0)
        fail(ExitCode::usage, "--deadline {} is past: it is {} now", deadline.text,
             time_text(std::time(nullptr)));
      set_end(seconds, "--deadline " + deadline.text);
      return;
    }
    case Deadline::Kind::job:
      job = find_slurm_job();
      if (!job)
        log.info("--deadline auto: this is no job of Slurm, so the run has no deadline");
      else if (job->end)
        take_end(*job->end);
  }
}

// Looks several times a second: the times of steps and checkpoints change, and Slurm's answer may come.
void RunDeadline::State::watch() {
  constexpr auto pause = std::chrono::milliseconds(100);
  std::unique_lock lock(mutex);
  while (!changed.wait_for(lock, pause, [&] { return stopping; })) {
    lock.unlock();
    if (job) ask();
    lock.lock();
    if (!has_end || !reason.empty() || left() > seconds_needed(pace, allotted)) continue;
    reason = fmt::format("{} before {}", duration_text(std::max(left(), 0.0)), end_name);
    stop_requested = true;
  }
}

void RunDeadline::State::ask() {
  if (!question && since_start.seconds() >= next_question) question.emplace(job->id);
  if (!question) return;
  const std::optional<SlurmAnswer> answer = question->answer();
  if (!answer) return;
  question.reset();
  take(*answer);
  constexpr double unknown = 300;  // seconds; the end may be asked for again, but not often
  next_question = since_start.seconds() + question_interval(has_end ? left() : unknown);
}

void RunDeadline::State::take(const SlurmAnswer& answer) {
  if (!answer.problem.empty()) {
    if (std::exchange(told_of_problem, true)) return;
    if (has_end)
      log.debug("--deadline auto: {}", answer.problem);
    else
      log.warn(
          "--deadline auto: the end of Slurm job {} is unknown: {}. Without it the run stops when a signal "
          "comes",
          job->id, answer.problem);
    return;
  }
  constexpr double most = 300.0 * 86'400;  // Slurm lets a job without a limit end in a year
  if (!answer.end || static_cast<double>(*answer.end) - seconds_since_1970() > most) {
    has_end = false;
    return;
  }
  take_end(*answer.end);
}

void RunDeadline::State::take_end(std::int64_t end) {
  const double seconds = static_cast<double>(end) - seconds_since_1970();
  if (job_end != end)
    log.info("Slurm job {} {}ends at {}, in {}", job->id, job_end ? "now " : "", time_text(end),
             duration_text(std::max(seconds, 0.0)));
  job_end = end;
  set_end(seconds, fmt::format("the end of Slurm job {} ({})", job->id, time_text(end)));
}

RunDeadline::RunDeadline(const Deadline& deadline, double running_seconds, std::uint64_t checkpoint_bytes,
                         const Log& log, std::atomic<bool>& stop_requested)
    : state_(std::make_unique<State>(checkpoint_bytes, log, stop_requested)) {
  state_->begin(deadline, running_seconds);
  if (state_->has_end || state_->job)
    state_->thread = std::thread([state = state_.get()] { state->watch(); });
}

RunDeadline::~RunDeadline() {
  if (!state_->thread.joinable()) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

void RunDeadline::step_took(double seconds) {
  const std::lock_guard lock(state_->mutex);
  state_->pace.add_step(seconds);
}

void RunDeadline::checkpoint_took(double seconds) {
  const std::lock_guard lock(state_->mutex);
  state_->pace.add_checkpoint(seconds);
}

std::string RunDeadline::reason() const {
  const std::lock_guard lock(state_->mutex);
  return state_->reason;
}

}  // namespace convoy
