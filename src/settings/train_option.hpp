// One option of `convoy train`: its entry in the list of settings/train_options.cpp. From the entries come
// parsing (command line and configuration files), range checks, help, the configuration's text in checkpoints
// and run.json, agreement between ranks, and what a resumed run may change.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settings/notation.hpp"
#include "settings/train_configuration.hpp"

namespace convoy {

enum class Concern {
  result,   // decides the result: kept in checkpoints
  place,    // paths, and how often this run reports
  machine,  // what the run is computed with
};

// How a resumed run treats a value that differs from the checkpoint's, for options that decide the result.
enum class OnResume { warn, refuse, refuse_within_epoch };

class TrainOption {
 public:
  // Texts of values by key: "" for an option that has none.
  using Texts = std::vector<std::pair<std::string, std::string>>;

  using Reader = std::function<void(TrainConfiguration&, const std::string& key, const std::string& value)>;
  using Writer = std::function<Texts(const TrainConfiguration&)>;

  TrainOption(std::string name, std::string value_name, std::string help)
      : name_(std::move(name)), value_name_(std::move(value_name)), help_(std::move(help)) {}

  const std::string& name() const { return name_; }
  const std::string& value_name() const { return value_name_; }
  const std::string& help() const { return help_; }
  const std::string& group() const { return group_; }
  Concern concern() const { return concern_; }
  OnResume on_resume() const { return on_resume_; }
  // The option by whose value this one applies or not; empty if it always applies or its own value decides.
  const std::string& decider() const { return decider_; }
  bool keyed() const { return keyed_; }  // name.KEY = value

  // The value of the program's defaults as the help shows it.
  std::string default_text() const;

  // Reads a value; `key` is empty unless keyed(). Throws ExitCode::usage with what would be accepted.
  void read(TrainConfiguration& configuration, const std::string& key, const std::string& value) const {
    read_(configuration, key, value);
  }
  // The values as read() takes them; none when the option does not apply to the configuration.
  Texts write(const TrainConfiguration& configuration) const {
    return applies_(configuration) ? write_(configuration) : Texts();
  }
  // The same, whether it applies or not; the text of a value that was left to its default is empty.
  Texts values(const TrainConfiguration& configuration) const { return write_(configuration); }
  // "name" or "name.key".
  std::string full_name(const std::string& key) const { return key.empty() ? name_ : name_ + "." + key; }

  // Values that completion offers beside those that value_name lists.
  const std::vector<std::string>& words() const { return words_; }

  // For the list of options.
  TrainOption& offering(std::vector<std::string> words);
  TrainOption& in(std::string group, Concern concern);
  TrainOption& when(std::function<bool(const TrainConfiguration&)> applies);  // by its own value
  TrainOption& when(std::string decider, std::function<bool(const TrainConfiguration&)> applies);
  TrainOption& otherwise(std::string default_text);  // instead of the default's own text
  TrainOption& resumed(OnResume on_resume);
  template <typename Value, typename Member>
  TrainOption& of(Member member, Notation<Value> notation);
  TrainOption& through(Reader read, Writer write);
  TrainOption& with_keys();

 private:
  std::string name_, value_name_, help_, group_, decider_, default_text_;
  std::vector<std::string> words_;
  Concern concern_ = Concern::result;
  OnResume on_resume_ = OnResume::warn;
  bool keyed_ = false;
  std::function<bool(const TrainConfiguration&)> applies_ = [](const TrainConfiguration&) { return true; };
  Reader read_;
  Writer write_;
};

// `member` gives a reference to the value in a configuration, constant or not: [](auto& c) -> auto& { return
// c.seed; }
template <typename Value, typename Member>
TrainOption& TrainOption::of(Member member, Notation<Value> notation) {
  read_ = [=, parse = notation.parse](TrainConfiguration& configuration, const std::string&,
                                      const std::string& value) { member(configuration) = parse(value); };
  write_ = [=, text = notation.text](const TrainConfiguration& configuration) {
    return Texts{{"", text(member(configuration))}};
  };
  return *this;
}

// All options, in the order in which they are written down. The order within a group is the help's.
std::vector<TrainOption> train_options();

// The groups in the order of the help.
std::vector<std::string> train_option_groups();

}  // namespace convoy
