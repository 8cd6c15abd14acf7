#include "train/run_stage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <vector>

#include "base/counted.hpp"
#include "base/host_name.hpp"
#include "comm/gather.hpp"
#include "data/stage/stage_plan.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

// Two ranks with the same text share copies.
std::string place_of(const std::string& folder, const Communicator& communicator) {
  std::error_code unknown;  // a missing folder is refused later
  const fs::path real = fs::weakly_canonical(folder, unknown);
  return fmt::format("{}:{}", communicator.node(), unknown ? folder : real.string());
}

// If a rank has an error, all throw that of the first.
void throw_first(Communicator& communicator, const std::optional<Error>& mine) {
  const std::vector<ExitCode> codes = gather(communicator, mine ? mine->category() : ExitCode::done);
  const auto first = std::ranges::find_if(codes, [](ExitCode code) { return code != ExitCode::done; });
  if (first == codes.end()) return;
  std::string text = mine ? mine->what() : "";
  if (communicator.nodes() > 1) text = fmt::format("on {}: {}", host_name(), text);
  throw Error(*first, communicator.broadcast_text(text, static_cast<int>(first - codes.begin())));
}

}  // namespace

RunStage::RunStage(const ResolvedRun& run, Communicator& communicator, const Log& log)
    : run_(run), communicator_(communicator), log_(log) {
  prepare();
  if (communicator.rank() == 0 && stage_->folder().is_beside_store())
    log.warn("--stage {}: this is on the same file system as the store, so reading from it is not faster",
             run.configuration.stage);
}

void RunStage::start() {
  log_.info("staging the {} that this node reads in {}", bytes_text(stage_->figures().bytes),
            stage_->folder().path().string());
  stage_->start();
}

void RunStage::prepare() {
  const std::string& folder = run_.configuration.stage;
  const std::vector<std::string> places = communicator_.gather_texts(place_of(folder, communicator_));
  const std::string& mine = places[static_cast<std::size_t>(communicator_.rank())];
  std::vector<int> sharing;
  for (int rank = 0; rank < communicator_.size(); ++rank)
    if (places[static_cast<std::size_t>(rank)] == mine) sharing.push_back(rank);
  folders_ = static_cast<int>(std::set<std::string>(places.begin(), places.end()).size());

  const SplitEntry& train = run_.store.split("train");
  StageOptions options;
  options.folder = folder;
  options.train = run_.configuration.shuffle_by_node
                      ? shards_by_node(train, run_.plan, communicator_.nodes(), sharing)
                      : all_shards(train);
  if (run_.store.val) options.val = all_shards(*run_.store.val);
  options.process = static_cast<int>(std::ranges::find(sharing, communicator_.rank()) - sharing.begin());
  options.processes = static_cast<int>(sharing.size());
  std::optional<Error> problem;
  try {
    stage_.emplace(run_.store, std::move(options), log_);
  } catch (const Error& error) {
    problem = error;
  }
  throw_first(communicator_, problem);
}

StageRecord RunStage::gather_figures() {
  const StageFigures mine = stage_->figures();
  std::array<std::int64_t, 7> sums = {mine.shards,
                                      mine.staged_shards,
                                      static_cast<std::int64_t>(mine.bytes),
                                      static_cast<std::int64_t>(mine.staged_bytes),
                                      mine.done ? 1 : 0,
                                      static_cast<std::int64_t>(mine.copied_bytes),
                                      mine.rejected};
  if (!stage_->leads()) std::fill_n(sums.begin(), 4, 0);
  std::array<double, 1> seconds = {mine.seconds};
  communicator_.sum(std::span<std::int64_t>(sums));
  communicator_.maximum(seconds);
  return {.folder = stage_->folder().path().string(),
          .nodes = folders_,
          .shards = sums[0],
          .staged_shards = sums[1],
          .bytes = static_cast<std::uint64_t>(sums[2]),
          .staged_bytes = static_cast<std::uint64_t>(sums[3]),
          .copied_bytes = static_cast<std::uint64_t>(sums[5]),
          .rejected = sums[6],
          .seconds = seconds[0],
          .done = sums[4] == communicator_.size()};
}

void RunStage::report(std::int64_t step, bool ends, RunReport& report) {
  const StageRecord record = gather_figures();
  const bool last = record.done || ends;
  if ((last && !announced_) || record.rejected != announced_rejections_) announce(record, last, step, report);
}

void RunStage::announce(const StageRecord& record, bool last, std::int64_t step, RunReport& report) {
  report.stage(record);
  if (last && !announced_) {
    const std::string text = stage_text(record);
    log_.info("{}", text);
    report.event(step, "stage", text);
    announced_ = true;
  }
  if (record.rejected == announced_rejections_) return;
  announced_rejections_ = record.rejected;
  report.event(
      step, "warning",
      fmt::format("{} could not be used: deleted, and the store's shards are read instead",
                  record.rejected == 1 ? "a staged copy" : fmt::format("{} staged copies", record.rejected)));
}

std::string stage_text(const StageRecord& record) {
  const bool all = record.staged_shards == record.shards;
  const std::string shards = counted(record.shards, "shard");
  std::string text =
      fmt::format("staged {}{} ({}) in {:.1f} s{}", all ? "" : fmt::format("{} of ", record.staged_shards),
                  shards, bytes_text(record.staged_bytes), record.seconds,
                  record.nodes > 1 ? fmt::format(" on {}", counted(record.nodes, "node")) : "");
  const std::uint64_t copied = std::min(record.copied_bytes, record.staged_bytes);
  if (copied > 0)
    text += fmt::format(": {} copied ({:.2f} GB/s{})", bytes_text(copied),
                        static_cast<double>(copied) / std::max(record.seconds, 1e-9) / 1e9 / record.nodes,
                        record.nodes > 1 ? " on each" : "");
  if (copied < record.staged_bytes)
    text += fmt::format("{} {} there already", copied > 0 ? "," : ":",
                        copied > 0 ? bytes_text(record.staged_bytes - copied) : "all");
  if (!record.done) text += "; the run ended before the others were copied";
  return text;
}

}  // namespace convoy
