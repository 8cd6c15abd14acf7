// The options of one command, declared once: read from the command line and, where the command takes them,
// from configuration files (`key = value`, comments after `#`; the command line wins), and printed in groups
// by --help. Every command fills one in (cli/command.hpp). A value goes into the plain variable given at the
// declaration, which must outlive the table.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settings/values.hpp"

namespace convoy {

// An option as users see it: the source of --help, of completion and of man pages (cli/reference).
struct OptionFacts {
  std::string name;   // without dashes; of a keyed option what precedes the dot
  std::string group;  // title in the help
  std::string value_name, help;
  bool flag = false;                    // takes no value
  bool keyed = false;                   // name.KEY
  bool repeatable = false;              // each one counts
  std::string without = {};             // what it means without a value; empty: it needs one
  std::vector<std::string> words = {};  // values that its value_name does not list: names of networks

  // "--lr.KEY RATE", "--watch [SECONDS]".
  std::string usage() const;
};

// An argument without a dash.
struct ArgumentFacts {
  std::string name, help;
  bool required = true, many = false;
};

class OptionTable {
 public:
  using Setter = std::function<void(const std::string& value)>;
  using KeyedSetter = std::function<void(const std::string& key, const std::string& value)>;

  // `command` is named in errors: "convoy train".
  explicit OptionTable(std::string command) : command_(std::move(command)) {}

  // The help lists options declared from now on under this title.
  void group(std::string title);

  // An option with a value. `value_name` is what the help shows for it. The setter throws
  // Error(ExitCode::usage) saying what would be accepted. Options are set in the order of their declaration.
  void add(std::string name, std::string value_name, std::string help, Setter set);

  // The value of the option declared last, a whole number or one of the words of its value_name, may be left
  // out: --watch 5, or --watch alone, which stands for --watch=`without`.
  void value_optional(std::string without) { options_.back().facts.without = std::move(without); }

  // The option declared last may be given several times; its setter is called for each.
  void repeatable() { options_.back().facts.repeatable = true; }

  // `prefix`.KEY = value, for instance lr.conv1; set after `prefix` itself when declared after it.
  void add_keyed(std::string prefix, std::string value_name, std::string help, KeyedSetter set);

  // Values that completion offers for the option declared last, where its value_name does not list them.
  void offer(std::vector<std::string> words) { options_.back().facts.words = std::move(words); }

  // Common kinds, which write to `target` and show its present value as the default.
  void add_text(std::string name, std::string value_name, std::string help, std::string& target);
  void add_flag(std::string name, std::string help, bool& target);  // no value: --json
  template <typename Integer>
  void add_integer(const std::string& name, std::string help, Integer& target, std::int64_t least,
                   std::int64_t most = std::numeric_limits<Integer>::max() <
                                               std::numeric_limits<std::int64_t>::max()
                                           ? static_cast<std::int64_t>(std::numeric_limits<Integer>::max())
                                           : std::numeric_limits<std::int64_t>::max());
  void add_integer(const std::string& name, std::string help, std::uint64_t& target);  // of any size
  template <typename Real>
  void add_real(const std::string& name, const std::string& value_name, std::string help, Real& target,
                double least, double most = std::numeric_limits<double>::max());
  template <typename Value>
  void add_word(const std::string& name, std::string help, Value& target, Words<Value> words);

  // Arguments without a dash, in this order; the last takes all that follow when `many`.
  void positional(std::string name, std::string help, std::vector<std::string>& target, bool required,
                  bool many);

  // Declares --config FILE|RECIPE, which may set every named option.
  void add_config();

  // Arguments after the command's name. Throws Error(ExitCode::usage) naming the option (and for a
  // configuration file the line), the value and what would be accepted; ExitCode::io when a configuration
  // file cannot be read.
  void parse(const std::vector<std::string>& arguments);

  bool help_wanted() const { return help_wanted_; }
  // The last value set in a configuration file (not on the command line); empty when it is not set there.
  std::string configured(std::string_view name) const;

  // What the command line said, in its order, as name and value ("on" of a flag); not what files said.
  std::vector<std::pair<std::string, std::string>> on_command_line() const;

  // The usage line and the grouped options.
  std::string help_text(bool colour = false) const;
  // "convoy predict IMAGE… [--option value …]".
  std::string usage() const;

  // Everything that was declared, in the order of the help.
  std::vector<OptionFacts> options() const;
  std::vector<ArgumentFacts> arguments() const;

 private:
  struct Option {
    OptionFacts facts;
    Setter set;
    KeyedSetter set_keyed;  // for `name`.KEY
  };
  struct Positional {
    ArgumentFacts facts;
    std::vector<std::string>* target;
  };
  struct Given {
    const Option* option;
    std::string key;  // of a keyed option: what follows the dot
    std::string value, where;
    bool from_file;
  };

  const Option* find(std::string_view name, std::string& key) const;
  void give(const std::string& name, const std::string& value, const std::string& where, bool from_file);
  std::vector<std::string> with_all_values(const std::vector<std::string>& arguments) const;
  void read_command_line(const std::vector<std::string>& arguments, std::vector<std::string>& plain);
  void read_file(const std::string& name);
  void set_positionals(const std::vector<std::string>& plain) const;
  void apply() const;
  [[noreturn]] void refuse_unknown(const std::string& typed, const std::string& where) const;

  std::string command_, current_group_ = "Options";
  std::vector<Option> options_;
  std::vector<Positional> positionals_;
  std::vector<Given> given_;
  bool help_wanted_ = false;
};

template <typename Integer>
void OptionTable::add_integer(const std::string& name, std::string help, Integer& target, std::int64_t least,
                              std::int64_t most) {
  help += fmt::format(" [{}]", target);
  add(name, "N", std::move(help), [&target, least, most](const std::string& value) {
    target = static_cast<Integer>(parse_integer(value, least, most));
  });
}

template <typename Real>
void OptionTable::add_real(const std::string& name, const std::string& value_name, std::string help,
                           Real& target, double least, double most) {
  help += fmt::format(" [{}]", target);
  add(name, value_name, std::move(help), [&target, least, most](const std::string& value) {
    target = static_cast<Real>(parse_real(value, {.least = least, .most = most}));
  });
}

template <typename Value>
void OptionTable::add_word(const std::string& name, std::string help, Value& target, Words<Value> words) {
  std::string names;
  for (const auto& [word, value] : words) {
    if (!names.empty()) names += "|";
    names += word;
    if (value == target) help += fmt::format(" [{}]", word);
  }
  add(name, std::move(names), std::move(help), [&target, words = std::move(words)](const std::string& value) {
    target = parse_word<Value>(trimmed(value), words);
  });
}

}  // namespace convoy
