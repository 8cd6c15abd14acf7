#include "engine/tuning/tuning_cache.hpp"

#include <fmt/format.h>

#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <utility>

#include "base/atomic_file.hpp"
#include "base/crc32c.hpp"
#include "base/error.hpp"
#include "base/folder_lock.hpp"

namespace convoy {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view format_name = "convoy-tuning-1";
constexpr std::uintmax_t most_bytes = 64 << 20;  // a file of ours is a thousandth of that
constexpr std::chrono::milliseconds lock_patience{300};

std::string checksum(std::string_view text) {
  return fmt::format("{:08x}", crc32c(std::as_bytes(std::span(text))));
}

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// JSON has no infinity: the difference of a result that is not finite is null.
Json to_json(const Trial& trial) {
  return {{"name", trial.name},
          {"outcome", word_of(trial_outcome_words(), trial.outcome)},
          {"milliseconds", trial.milliseconds},
          {"difference", trial.difference}};
}

// The functions that read throw Json::exception, and std::bad_optional_access for an unknown word.
Trial read_trial(const Json& json) {
  const Json& difference = json.at("difference");
  return {.name = json.at("name").get<std::string>(),
          .outcome = value_of(trial_outcome_words(), json.at("outcome").get<std::string>()).value(),
          .milliseconds = json.at("milliseconds").get<double>(),
          .difference =
              difference.is_null() ? std::numeric_limits<double>::infinity() : difference.get<double>()};
}

Json to_json(const Decision& decision) {
  Json trials = Json::array();
  for (const Trial& trial : decision.trials) trials.push_back(to_json(trial));
  return {{"key", decision.key},
          {"what", decision.what},
          {"chosen", decision.chosen},
          {"trials", std::move(trials)}};
}

Decision read_decision(const Json& json) {
  Decision decision{.what = json.at("what").get<std::string>(),
                    .key = json.at("key").get<std::string>(),
                    .chosen = json.at("chosen").get<std::string>(),
                    .source = DecisionSource::kept,
                    .trials = {}};
  for (const Json& trial : json.at("trials")) decision.trials.push_back(read_trial(trial));
  return decision;
}

bool is_readable(const fs::path& file) {
  std::error_code error;
  return fs::is_regular_file(file, error) && fs::file_size(file, error) <= most_bytes && !error;
}

}  // namespace

fs::path tuning_folder(const char* xdg, const char* home) {
  // XDG's rule: what is not absolute is ignored.
  if (xdg != nullptr && fs::path(xdg).is_absolute()) return fs::path(xdg) / "convoy";
  if (home != nullptr && fs::path(home).is_absolute()) return fs::path(home) / ".cache" / "convoy";
  return {};
}

TuningCache::TuningCache(const fs::path& folder, std::string machine, const Log* log)
    : machine_(std::move(machine)), log_(log) {
  if (folder.empty()) {
    give_up("neither XDG_CACHE_HOME nor HOME names a folder");
    return;
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    give_up(fmt::format("cannot make {}: {}", folder.string(), error.message()));
    return;
  }
  file_ = folder / fmt::format("tuning-{}.json", checksum(machine_));
  answers_ = read();
}

void TuningCache::give_up(const std::string& reason) {
  file_.clear();
  if (log_ != nullptr)
    log_->info("which algorithms are fastest here is not kept for the next start: {}", reason);
}

TuningCache::Answers TuningCache::read() const {
  if (!is_readable(file_)) return {};
  try {
    const Json json = Json::parse(read_text_file(file_));
    const Json& decisions = json.at("decisions");
    if (json.at("format") != format_name || json.at("machine") != machine_ ||
        json.at("checksum") != checksum(dump(decisions, -1)))
      return {};
    Answers answers;
    for (const Json& one : decisions) {
      Decision decision = read_decision(one);
      std::string key = decision.key;
      answers.emplace(std::move(key), std::move(decision));
    }
    return answers;
  } catch (const std::exception&) {  // not readable, not JSON, or not ours: it is replaced
    return {};
  }
}

void TuningCache::write(const Answers& answers) const {
  Json decisions = Json::array();
  for (const auto& [key, decision] : answers) decisions.push_back(to_json(decision));
  // As it will be read: numbers are not the same text before and after.
  decisions = Json::parse(dump(decisions, -1));
  const Json json = {{"format", format_name},
                     {"machine", machine_},
                     {"checksum", checksum(dump(decisions, -1))},
                     {"decisions", decisions}};
  write_file_atomically(file_, dump(json, 1) + "\n");
}

std::optional<Decision> TuningCache::find(const std::string& key) const {
  const auto found = answers_.find(key);
  if (found == answers_.end()) return std::nullopt;
  return found->second;
}

Decision TuningCache::keep(const Decision& decision, bool replace) {
  if (file_.empty()) return decision;
  try {
    const FolderLock lock(file_.parent_path(), lock_patience, file_.filename().string() + ".lock");
    if (!lock.held()) {
      give_up(fmt::format("cannot lock {}: no permission, or a file system without locks", file_.string()));
      return decision;
    }
    Answers now = read();
    if (const auto theirs = now.find(decision.key); theirs != now.end() && !replace) {
      answers_ = std::move(now);
      return answers_.at(decision.key);
    }
    now.insert_or_assign(decision.key, decision);
    write(now);
    answers_ = std::move(now);
  } catch (const Error& error) {
    // Only a lock that another process holds is a matter of usage, and what the lock advises is for a run.
    give_up(error.category() == ExitCode::usage ? "another process is writing " + file_.string()
                                                : error.what());
  } catch (const std::exception& error) {
    give_up(error.what());
  }
  return decision;
}

}  // namespace convoy
