#include "cli/option_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <filesystem>

#include "base/error.hpp"
#include "base/terminal.hpp"
#include "base/text_file.hpp"
#include "base/text_wrap.hpp"
#include "cli/habits.hpp"
#include "settings/key_values.hpp"
#include "settings/recipes.hpp"
#include "settings/spelling.hpp"

namespace convoy {
namespace {

namespace po = boost::program_options;

// Long and short options as in GNU programs, but no guessing from prefixes: a mistyped option is an error.
constexpr int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;

struct Configuration {
  std::string path, text;
};

// What is wrong with a path given where a recipe is meant.
Configuration read_configuration(const std::string& path) {
  try {
    const std::filesystem::path file = find_recipe(path, recipe_folders());
    return {file.string(), read_text(file)};
  } catch (const Error& error) {
    fail(error.category(), "--config {}: {}", path, error.what());
  }
}

// Whether what follows an option whose value may be left out is that value: one of its words or, if it has
// none, a whole number; where nothing else may stand there (`alone`), everything but an option.
bool follows_as_value(const OptionFacts& option, const std::string& next, bool alone) {
  if (alone && !next.empty()) return next.front() != '-';
  if (option.value_name.find('|') == std::string::npos)
    return !next.empty() && next.find_first_not_of("0123456789") == std::string::npos;
  const std::vector<std::string> words = split_list(option.value_name, '|');
  return std::ranges::find(words, next) != words.end();
}

}  // namespace

void OptionTable::group(std::string title) {
  current_group_ = std::move(title);
}

void OptionTable::add(std::string name, std::string value_name, std::string help, Setter set) {
  options_.push_back({.facts = {.name = std::move(name),
                                .group = current_group_,
                                .value_name = std::move(value_name),
                                .help = std::move(help)},
                      .set = std::move(set),
                      .set_keyed = {}});
}

void OptionTable::add_keyed(std::string prefix, std::string value_name, std::string help, KeyedSetter set) {
  options_.push_back({.facts = {.name = std::move(prefix),
                                .group = current_group_,
                                .value_name = std::move(value_name),
                                .help = std::move(help),
                                .keyed = true},
                      .set = {},
                      .set_keyed = std::move(set)});
}

void OptionTable::add_text(std::string name, std::string value_name, std::string help, std::string& target) {
  if (!target.empty()) help += fmt::format(" [{}]", target);
  add(std::move(name), std::move(value_name), std::move(help),
      [&target](const std::string& value) { target = value; });
}

void OptionTable::add_flag(std::string name, std::string help, bool& target) {
  add(std::move(name), "", std::move(help),
      [&target](const std::string& value) { target = parse_switch(value); });
  options_.back().facts.flag = true;
}

void OptionTable::add_integer(const std::string& name, std::string help, std::uint64_t& target) {
  help += fmt::format(" [{}]", target);
  add(name, "N", std::move(help), [&target](const std::string& value) { target = parse_unsigned(value); });
}

void OptionTable::positional(std::string name, std::string help, std::vector<std::string>& target,
                             bool required, bool many) {
  positionals_.push_back(
      {{.name = std::move(name), .help = std::move(help), .required = required, .many = many}, &target});
}

void OptionTable::add_config() {
  add("config", "FILE|RECIPE",
      "read options from this file (key = value) or from Convoy's recipe of this name, such as owt; the "
      "command line wins",
      [](const std::string&) {});  // read_file reads it before any option is set
}

void OptionTable::parse(const std::vector<std::string>& arguments) {
  std::vector<std::string> plain;
  read_command_line(arguments, plain);
  if (help_wanted_) return;
  for (const Given& given : std::vector<Given>(given_))
    if (given.option->facts.name == "config") read_file(given.value);
  set_positionals(plain);
  apply();
}

std::string OptionTable::configured(std::string_view name) const {
  std::string last;
  for (const Given& given : given_)
    if (given.from_file && given.option->facts.name == name && given.key.empty()) last = given.value;
  return last;
}

const OptionTable::Option* OptionTable::find(std::string_view name, std::string& key) const {
  const auto dot = name.find('.');
  key = dot == std::string_view::npos ? "" : name.substr(dot + 1);
  for (const Option& option : options_) {
    if (option.facts.keyed != (dot != std::string_view::npos)) continue;
    if (option.facts.name == name.substr(0, dot)) return &option;
  }
  return nullptr;
}

void OptionTable::give(const std::string& name, const std::string& value, const std::string& where,
                       bool from_file) {
  std::string key;
  const Option* option = find(name, key);
  if (option == nullptr) refuse_unknown(name, where);
  given_.push_back({option, key, value, where, from_file});
}

// Options whose value may be left out get one: the one that follows, otherwise their standard.
std::vector<std::string> OptionTable::with_all_values(const std::vector<std::string>& arguments) const {
  std::vector<std::string> complete;
  bool options = true;  // until "--"
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    options = options && arguments[i] != "--";
    complete.push_back(arguments[i]);
    for (const Option& option : options_) {
      if (!options || option.facts.without.empty() || arguments[i] != "--" + option.facts.name) continue;
      const std::string next = i + 1 < arguments.size() ? arguments[i + 1] : "";
      const bool given = follows_as_value(option.facts, next, positionals_.empty());
      complete.back() += "=" + (given ? next : option.facts.without);
      i += given ? 1 : 0;
    }
  }
  return complete;
}

void OptionTable::read_command_line(const std::vector<std::string>& arguments,
                                    std::vector<std::string>& plain) {
  po::options_description all;
  all.add_options()("help,h", po::bool_switch());
  for (const Option& option : options_) {
    if (option.facts.flag)
      all.add_options()(option.facts.name.c_str(), po::bool_switch());
    else
      all.add_options()((option.facts.name + (option.facts.keyed ? ".*" : "")).c_str(),
                        po::value<std::string>());
  }
  po::parsed_options parsed(nullptr);
  try {
    parsed = po::command_line_parser(with_all_values(arguments))
                 .options(all)
                 .style(style)
                 .allow_unregistered()
                 .run();
  } catch (const po::invalid_command_line_syntax& error) {
    fail(ExitCode::usage, "{}: {}; see {} --help", command_, error.what(), command_);
  } catch (const po::error& error) {
    fail(ExitCode::usage, "{}: {}; see {} --help", command_, error.what(), command_);
  }
  for (const auto& option : parsed.options) {
    if (option.string_key == "help") help_wanted_ = true;
  }
  if (help_wanted_) return;
  for (const auto& option : parsed.options) {
    if (option.position_key >= 0 && !option.unregistered) {
      plain.insert(plain.end(), option.value.begin(), option.value.end());
      continue;
    }
    const std::string typed =
        option.original_tokens.empty() ? option.string_key : option.original_tokens.front();
    if (option.unregistered) refuse_unknown(typed.substr(0, typed.find('=')), "");
    give(option.string_key, option.value.empty() ? "on" : option.value.front(),
         fmt::format("--{}", option.string_key), false);
  }
}

void OptionTable::read_file(const std::string& name) {
  std::vector<std::string> seen;
  const auto [path, text] = read_configuration(name);
  for (const KeyValue& entry : read_key_values(text, path)) {
    const std::string where = fmt::format("{}:{}", path, entry.line);
    if (entry.key == "config")
      fail(ExitCode::usage, "{}: a configuration file cannot name another one", where);
    if (std::find(seen.begin(), seen.end(), entry.key) != seen.end())
      fail(ExitCode::usage, "{}: {} is set twice in this file", where, entry.key);
    seen.push_back(entry.key);
    give(entry.key, entry.value, where, true);
  }
}

void OptionTable::set_positionals(const std::vector<std::string>& plain) const {
  std::size_t next = 0;
  for (const auto& [facts, target] : positionals_) {
    const std::size_t end = facts.many ? plain.size() : std::min(next + 1, plain.size());
    if (facts.required && next == end)
      fail(ExitCode::usage, "{}: {} is missing ({}); see {} --help", command_, facts.name, facts.help,
           command_);
    for (std::size_t i = next; i < end; ++i)
      if (plain[i].empty())
        fail(ExitCode::usage, "{}: {} is empty ({}); see {} --help", command_, facts.name, facts.help,
             command_);
    target->insert(target->end(), plain.begin() + static_cast<std::ptrdiff_t>(next),
                   plain.begin() + static_cast<std::ptrdiff_t>(end));
    next = end;
  }
  if (next == plain.size()) return;
  std::string key;
  const bool takes_data = positionals_.empty() && find("data", key) != nullptr;
  fail(ExitCode::usage, "{}: unexpected argument '{}'; expected an option{}; see {} --help", command_,
       plain[next], takes_data ? fmt::format(" (a store is given as --data {})", plain[next]) : "", command_);
}

void OptionTable::apply() const {
  for (const Option& option : options_) {
    // The last one on the command line wins over those before it, and any of them over the file.
    for (std::size_t i = 0; i < given_.size(); ++i) {
      const Given& given = given_[i];
      if (given.option != &option) continue;
      const bool overruled = std::any_of(given_.begin(), given_.end(), [&](const Given& other) {
        if (other.option != &option || other.key != given.key || &other == &given) return false;
        return !other.from_file && (given.from_file || &other > &given);
      });
      if (overruled && !option.facts.repeatable) continue;
      const std::string name = given.key.empty() ? option.facts.name : option.facts.name + "." + given.key;
      try {
        option.facts.keyed ? option.set_keyed(given.key, given.value) : option.set(given.value);
      } catch (const Error& error) {
        const bool joined_comment = given.from_file && given.value.find('#') != std::string::npos;
        fail(error.category(), "{}: {}{}",
             given.from_file ? fmt::format("{}: {}", given.where, name) : fmt::format("--{}", name),
             error.what(), joined_comment ? " (a comment needs a blank before '#')" : "");
      }
    }
  }
}

std::vector<std::pair<std::string, std::string>> OptionTable::on_command_line() const {
  std::vector<std::pair<std::string, std::string>> said;
  for (const Given& given : given_) {
    if (given.from_file) continue;
    const std::string& name = given.option->facts.name;
    said.emplace_back(given.key.empty() ? name : name + "." + given.key, given.value);
  }
  return said;
}

void OptionTable::refuse_unknown(const std::string& typed, const std::string& where) const {
  const std::string place = where.empty() ? command_ : where;
  std::string_view bare = typed;
  while (bare.starts_with('-')) bare.remove_prefix(1);
  std::vector<std::string_view> names;
  for (const Option& option : options_) names.push_back(option.facts.name);
  std::string advice = habit_advice(bare);
  if (advice.empty()) {
    const std::string near = nearest_name(bare, names);
    if (!near.empty()) advice = fmt::format("did you mean {}{}?", where.empty() ? "--" : "", near);
  }
  fail(ExitCode::usage, "{}: there is no option {}{}{}; see {} --help", place, typed,
       advice.empty() ? "" : ": ", advice, command_);
}

std::string OptionFacts::usage() const {
  if (!without.empty()) return fmt::format("--{} [{}]", name, value_name);
  return fmt::format("--{}{}{}{}", name, keyed ? ".KEY" : "", flag ? "" : " ", value_name);
}

std::string OptionTable::usage() const {
  std::string text = command_;
  for (const ArgumentFacts& argument : arguments()) {
    const std::string name = argument.name + (argument.many ? "…" : "");
    text += argument.required ? fmt::format(" {}", name) : fmt::format(" [{}]", name);
  }
  return text + " [--option value …]";
}

std::vector<OptionFacts> OptionTable::options() const {
  std::vector<std::string> groups;
  std::vector<OptionFacts> facts;
  for (const Option& option : options_)
    if (std::ranges::find(groups, option.facts.group) == groups.end()) groups.push_back(option.facts.group);
  for (const std::string& group : groups)
    for (const Option& option : options_)
      if (option.facts.group == group) facts.push_back(option.facts);
  return facts;
}

std::vector<ArgumentFacts> OptionTable::arguments() const {
  std::vector<ArgumentFacts> facts;
  for (const Positional& positional : positionals_) facts.push_back(positional.facts);
  return facts;
}

// Names that leave room for it are followed by their help in the same line.
std::string OptionTable::help_text(bool colour) const {
  constexpr std::size_t column = 32, width = 100;
  std::string text = fmt::format("{} {}\n", styled("Usage:", Style::bold, colour), usage());
  for (const Positional& positional : positionals_)
    text += fmt::format("\n  {:<10} {}", positional.facts.name, positional.facts.help);
  if (!positionals_.empty()) text += "\n";
  std::string group;
  for (const OptionFacts& option : options()) {
    if (option.group != group)
      text += fmt::format("\n{}\n", styled((group = option.group) + ":", Style::bold, colour));
    const std::string name = fmt::format("  {}", option.usage());
    const std::size_t used = character_count(name);
    text += name;
    if (used + 2 > column) text += '\n';
    text.append(used + 2 > column ? column : column - used, ' ');
    text += wrapped(option.help, width - column, column) + "\n";
  }
  return text;
}

}  // namespace convoy
