// Measured answers of this machine on disk, so that a second start measures nothing: one JSON file for each
// kind of machine in ~/.cache/convoy. Whatever is wrong with a file or its folder costs measurements, never a
// run. Made by engine/engine.cpp for the rank that answers.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/log.hpp"
#include "engine/tuning/tuner.hpp"

namespace convoy {

// Where answers are kept: `convoy` in XDG_CACHE_HOME (`xdg`; where it is an absolute path), else in ~/.cache
// (`home`). Empty without both; either may be null.
std::filesystem::path tuning_folder(const char* xdg, const char* home);

class TuningCache final : public TuningMemory {
 public:
  // `machine` says all that answers depend on beside their keys: the device and the versions of what computes
  // on it. An empty folder, or one that cannot be made, keeps nothing; `log` (may be null) says so once.
  TuningCache(const std::filesystem::path& folder, std::string machine, const Log* log);

  std::optional<Decision> find(const std::string& key) const override;

  // Merges into the file under a lock, for which it hardly waits: where the lock is not to be had (held, or
  // not served by the file system), and where the file cannot be written, this and later answers are not
  // kept.
  Decision keep(const Decision& decision, bool replace) override;

  const std::filesystem::path& file() const { return file_; }  // empty where nothing is kept

 private:
  using Answers = std::map<std::string, Decision>;

  Answers read() const;
  void write(const Answers& answers) const;
  void give_up(const std::string& reason);

  std::string machine_;
  const Log* log_;
  std::filesystem::path file_;
  Answers answers_;
};

}  // namespace convoy
