#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "base/atomic_file.hpp"
#include "cli/commands.hpp"
#include "cli/common_options.hpp"
#include "cli/stop_signals.hpp"
#include "report/page/report_page.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;

// Size and time of each file whose change a report shows.
using Fingerprint = std::vector<std::pair<std::uintmax_t, fs::file_time_type>>;

class ReportCommand : public Command {
 public:
  std::string_view name() const override { return "report"; }
  std::string_view summary() const override { return "write an HTML page about a run, or comparing several"; }
  std::string_view description() const override {
    return R"(Writes one HTML file that shows a run: its curves, speed, phases of a step, predictions of validation images,
confused classes, filters, configuration, attempts and events. Several runs are drawn over each other and
compared. The file needs nothing beside it and no network: open it in a browser, mail it, keep it. With
--watch it is written again whenever the run has logged something, and the open page follows, until Ctrl-C or
until the runs have ended.)";
  }
  std::string_view example() const override {
    return R"(  convoy report runs/owt
  convoy report runs/owt --watch 30
  convoy report runs/lr-0.01 runs/lr-0.02 --output comparison.html)";
  }
  bool uses_ranks() const override { return false; }

  void declare(OptionTable& table) override {
    table.positional("RUN", "output folders of convoy train", runs_, true, true);
    table.group("Report");
    table.add_text("output", "FILE", "the page [RUN/report.html; of several runs comparison.html]", output_);
    table.add_text("data", "STORE", "the store with the validation images [the one that the run names]",
                   store_);
    table.add("watch", "SECONDS",
              "write the page again when a run has logged something, and look every so many seconds "
              "[10]",
              [this](const std::string& value) {
                watch_seconds_ = static_cast<int>(parse_integer(value, 1, 86400));
              });
    table.value_optional("10");
  }

  void check(const OptionTable&) override {
    for (const std::string& run : runs_) check_run(run);
    if (output_.empty())
      output_ = runs_.size() == 1 ? (fs::path(runs_[0]) / "report.html").string() : "comparison.html";
    check_output_file("output", output_);
  }

  ExitCode run_alone(const Log& log) override {
    if (watch_seconds_ > 0) return watch(log);
    const ReportPage page = make_report(request(0));
    write_file_atomically(output_, page.html);
    for (const std::string& remark : page.remarks) log.warn("{}", remark);
    fmt::print("{} ({} kB)\n", output_, (page.html.size() + 999) / 1000);
    return ExitCode::done;
  }

 private:
  void check_run(const std::string& run) const {
    std::error_code error;
    if (fs::is_directory(run, error)) return;
    if (fs::exists(run, error)) fail(ExitCode::usage, "{} is a file: pass the output folder of a run", run);
    fail(ExitCode::usage, "{}: there is no such folder", run);
  }

  ReportRequest request(int reload_seconds) const {
    return {.runs = {runs_.begin(), runs_.end()}, .store = store_, .reload_seconds = reload_seconds};
  }

  Fingerprint fingerprint() const {
    Fingerprint all;
    for (const std::string& run : runs_)
      for (const char* file : {"metrics.jsonl", "run.json"}) {
        std::error_code error;
        const fs::path path = fs::path(run) / file;
        const std::uintmax_t size = fs::file_size(path, error);
        all.emplace_back(error ? 0 : size, fs::last_write_time(path, error));
      }
    return all;
  }

  // Writes the page; nothing, after a warning, if that failed: the next time may succeed.
  std::optional<ReportPage> attempt(const Log& log, int reload_seconds) const {
    try {
      ReportPage page = make_report(request(reload_seconds));
      write_file_atomically(output_, page.html);
      return page;
    } catch (const Error& error) {
      if (error.category() != ExitCode::io && error.category() != ExitCode::bad_data) throw;
      log.warn("{}; trying again", error.what());
      return std::nullopt;
    }
  }

  ExitCode watch(const Log& log) const {
    const StopSignals signals;
    ReportPage page = make_report(request(watch_seconds_));
    write_file_atomically(output_, page.html);
    for (const std::string& remark : page.remarks) log.warn("{}", remark);
    fmt::print("{} ({} kB); watching, Ctrl-C ends it\n", output_, (page.html.size() + 999) / 1000);
    std::fflush(stdout);
    Fingerprint shown = fingerprint();
    while (!page.ended && wait(signals.requested())) {
      Fingerprint present = fingerprint();
      if (present == shown) continue;
      if (std::optional<ReportPage> next = attempt(log, watch_seconds_)) {
        page = std::move(*next);
        shown = std::move(present);
      }
    }
    attempt(log, 0);  // an open page stops loading itself anew
    if (page.ended && !signals.requested()) fmt::print("all runs have ended; {} is complete\n", output_);
    return ExitCode::done;
  }

  // False when it was asked to stop meanwhile.
  bool wait(const std::atomic<bool>& stop) const {
    using namespace std::chrono_literals;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(watch_seconds_);
    while (!stop && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(100ms);
    return !stop;
  }

  std::vector<std::string> runs_;
  std::string output_, store_;
  int watch_seconds_ = 0;  // 0: written once
};

}  // namespace

std::unique_ptr<Command> make_report_command() {
  return std::make_unique<ReportCommand>();
}

}  // namespace convoy
