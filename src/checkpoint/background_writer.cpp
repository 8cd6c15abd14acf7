#include "checkpoint/background_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "base/atomic_file.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

// What a killed run left half-written: temporary names of write_checkpoint and of links.
void remove_stale_files(const fs::path& folder) {
  constexpr std::string_view suffix = ".partial";
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename();
    if (!name.ends_with(suffix)) continue;
    name.resize(name.size() - suffix.size());
    if (name == "latest" || name == "best" || checkpoint_step(name)) fs::remove(entry.path());
  }
}

// Step that the link `best` points to.
std::optional<std::int64_t> best_step(const fs::path& folder) {
  std::error_code error;
  const fs::path target = fs::read_symlink(folder / "best", error);
  return error ? std::nullopt : checkpoint_step(target.filename().string());
}

// The checkpoints up to step `newest` that are neither among the `keep` newest of them nor the best one.
std::vector<fs::path> surplus(const fs::path& folder, int keep, std::int64_t newest,
                              std::optional<std::int64_t> best) {
  std::vector<fs::path> paths;
  auto steps = list_checkpoints(folder);
  std::erase_if(steps, [&](std::int64_t step) { return step > newest; });
  const auto count = std::max<std::ptrdiff_t>(0, std::ssize(steps) - keep);
  for (const std::int64_t step : std::span(steps).first(static_cast<std::size_t>(count)))
    if (step != best) paths.push_back(folder / checkpoint_name(step));
  return paths;
}

// What the file of a checkpoint takes, at most.
std::uintmax_t bytes_of(const Checkpoint& checkpoint) {
  constexpr std::uintmax_t structure = 2U << 20U;  // beside the large arrays: classes, a mean image
  return structure + sizeof(float) * checkpoint.parameters.size() * (1 + checkpoint.optimizer.size());
}

}  // namespace

struct BackgroundWriter::State {
  // Something for the thread to do: write a checkpoint, or (without one) move `best`.
  struct Job {
    std::int64_t step = 0;
    std::optional<Checkpoint> checkpoint;
    bool best = false;
  };

  State(fs::path output, const ParameterTable& parameters, int newest, Timeline* timeline)
      : folder(std::move(output)),
        table(parameters),
        keep(newest),
        row(timeline != nullptr ? &timeline->row("checkpoints") : nullptr) {}

  void run();
  void perform(Job& job, WrittenCheckpoint& written);
  void write(const Job& job, WrittenCheckpoint& written) const;
  bool make_room(const Job& job, WrittenCheckpoint& written) const;
  std::optional<std::int64_t> kept_best() const { return best ? best : best_step(folder); }
  std::string set_link(const char* name, std::int64_t step) const;
  void wait_until_idle(std::unique_lock<std::mutex>& lock);

  fs::path folder;
  ParameterTable table;
  int keep;
  TimelineRow* row;
  // The thread's own. `best`: the last step that became the best one; the link is not enough, for some file
  // systems have none.
  std::int64_t newest_written = -1;
  std::optional<std::int64_t> best;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> jobs;  // the first one is being worked on
  std::vector<WrittenCheckpoint> done;
  bool stopping = false;
  std::thread thread;
};

// Removes what this checkpoint would replace anyway, if the disk is full and it fits then.
bool BackgroundWriter::State::make_room(const Job& job, WrittenCheckpoint& written) const {
  // The newest one stays: it is all there is if writing fails again.
  if (keep < 2) return false;
  const std::vector<fs::path> old = surplus(folder, keep - 1, job.step, kept_best());
  std::uintmax_t freed = 0;
  for (const fs::path& path : old) freed += fs::file_size(path);
  const std::uintmax_t wanted = bytes_of(*job.checkpoint), available = fs::space(folder).available;
  if (available >= wanted || available + freed < wanted) return false;
  for (const fs::path& path : old) {
    fs::remove(path);
    written.note = fmt::format("the disk of {} is full: {} was removed to make room for step {}",
                               folder.string(), path.filename().string(), job.step);
  }
  return true;
}

void BackgroundWriter::State::write(const Job& job, WrittenCheckpoint& written) const {
  std::error_code error;  // writing says why
  if (fs::create_directories(folder, error))
    written.note =
        fmt::format("{} had disappeared and was made again: earlier checkpoints are gone", folder.string());
  const fs::path path = folder / checkpoint_name(job.step);
  try {
    write_checkpoint(path, table, *job.checkpoint);
  } catch (const Error&) {
    if (!make_room(job, written)) throw;
    write_checkpoint(path, table, *job.checkpoint);
  }
}

// Throws; `written.path` is set once the file has its final name, `written.error` if a link could not be set.
void BackgroundWriter::State::perform(Job& job, WrittenCheckpoint& written) {
  const fs::path path = folder / checkpoint_name(job.step);
  if (job.checkpoint) {
    write(job, written);
    job.checkpoint.reset();  // its memory is not needed any more
    written.path = path;
    newest_written = job.step;
  }
  if (job.best && fs::exists(path)) best = job.step;
  const std::string latest_problem = written.path.empty() ? "" : set_link("latest", job.step);
  const std::string best_problem = job.best && best == job.step ? set_link("best", job.step) : "";
  if (newest_written >= 0 && keep > 0)
    for (const fs::path& old : surplus(folder, keep, newest_written, kept_best())) fs::remove(old);
  written.error = latest_problem.empty() ? best_problem : latest_problem;
}

// Returns the error, if any: old checkpoints must not fill the disk because a link cannot be set.
std::string BackgroundWriter::State::set_link(const char* name, std::int64_t step) const {
  try {
    replace_symlink(folder / name, checkpoint_name(step));
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

void BackgroundWriter::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [&] { return stopping || !jobs.empty(); });
    if (jobs.empty()) return;
    Job& job = jobs.front();  // a deque's elements stay where they are when others are added at the end
    const bool writes = job.checkpoint.has_value();
    lock.unlock();

    WrittenCheckpoint written;
    written.step = job.step;
    const Stopwatch watch;
    try {
      const TimelineScope scope(row, "write checkpoint", {{"step", job.step}});
      perform(job, written);
    } catch (...) {
      written.error = as_error(std::current_exception(), "the node has too little").what();
    }
    written.seconds = watch.seconds();

    lock.lock();
    if (writes || !written.error.empty()) done.push_back(std::move(written));
    jobs.pop_front();
    changed.notify_all();
  }
}

void BackgroundWriter::State::wait_until_idle(std::unique_lock<std::mutex>& lock) {
  changed.wait(lock, [&] { return jobs.empty(); });
}

BackgroundWriter::BackgroundWriter(fs::path folder, const ParameterTable& table, int keep, Timeline* timeline)
    : state_(std::make_unique<State>(std::move(folder), table, keep, timeline)) {
  try {
    fs::create_directories(state_->folder);
    remove_stale_files(state_->folder);
  } catch (const fs::filesystem_error& error) {
    fail(ExitCode::io, "cannot prepare the folder of checkpoints {}: {}", state_->folder.string(),
         error.code().message());
  }
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

BackgroundWriter::~BackgroundWriter() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

void BackgroundWriter::start(Checkpoint checkpoint, bool best) {
  std::unique_lock lock(state_->mutex);
  state_->wait_until_idle(lock);
  const std::int64_t step = checkpoint.header.step;
  state_->jobs.push_back({step, std::move(checkpoint), best});
  state_->changed.notify_all();
}

void BackgroundWriter::mark_best(std::int64_t step) {
  const std::lock_guard lock(state_->mutex);
  state_->jobs.push_back({step, std::nullopt, true});
  state_->changed.notify_all();
}

std::vector<WrittenCheckpoint> BackgroundWriter::finish() {
  std::unique_lock lock(state_->mutex);
  state_->wait_until_idle(lock);
  return std::exchange(state_->done, {});
}

std::vector<WrittenCheckpoint> BackgroundWriter::finished() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->done, {});
}

}  // namespace convoy
