#include <fmt/format.h>

#include "base/text_list.hpp"
#include "cli/reference/completion.hpp"

namespace convoy {
namespace {

// Inside single quotes, in a specification of _arguments or _describe: what ends a description is escaped.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\'')
      result += "'\\''";
    else if (c == '[' || c == ']' || c == ':' || c == '\\')
      result += fmt::format("\\{}", c);
    else
      result += c;
  }
  return result;
}

// The action of a specification of _arguments.
std::string action_of(const ValueKind& kind) {
  const std::string words = text_list(kind.words, " ");
  if (kind.files || kind.folders) {
    const std::string paths = kind.files ? "_files" : "_files -/";
    return kind.words.empty() ? paths : fmt::format("{{ compadd {}; {} }}", words, paths);
  }
  return kind.words.empty() ? " " : fmt::format("({})", words);
}

std::string specification_of(const OptionFacts& option) {
  if (option.flag) return fmt::format("'--{}[{}]'", option.name, escaped(option.help));
  if (!option.without.empty())
    return fmt::format("'--{}=[{}]::{}:{}'", option.name, escaped(option.help), escaped(option.value_name),
                       action_of(kind_of(option.value_name, option.words)));
  // Of an option with keys only what precedes the dot can be offered.
  const std::string name =
      option.keyed ? fmt::format("--{}.-", option.name) : fmt::format("--{}=", option.name);
  return fmt::format("'{}[{}]:{}:{}'", name, escaped(option.help), escaped(option.value_name),
                     action_of(kind_of(option.value_name, option.words)));
}

std::string arguments_of(const CommandReference& command) {
  std::string text =
      fmt::format("    {})\n      _arguments -S '(- *)'{{-h,--help}}'[list the options]'", command.name);
  for (const OptionFacts& option : command.options) text += " \\\n        " + specification_of(option);
  for (std::size_t i = 0; i < command.arguments.size(); ++i) {
    const ArgumentFacts& argument = command.arguments[i];
    const std::string place = argument.many ? "*" : fmt::format("{}{}", i + 1, argument.required ? "" : ":");
    text += fmt::format(" \\\n        '{}:{}:{}'", place, escaped(argument.name),
                        action_of(kind_of(argument.name)));
  }
  return text + "\n      ;;\n";
}

}  // namespace

std::string zsh_completion(std::span<const CommandReference> commands) {
  std::string text = R"(#compdef convoy launch/local ./launch/local launch/mpirun ./launch/mpirun
# Completion of convoy, launch/local and launch/mpirun for zsh; made by: convoy completion zsh

_convoy() {
  local curcontext=$curcontext state script=${words[1]:t}
  local -a line before commands
  local -i skipped=0
  case $script in
    local | mpirun)
      before=('(-n -np --ranks)'{-n,-np,--ranks}'[ranks]:number: ' '--threads=[threads of each rank]:number: '
        '--restarts=[starts again after a failure]:number: ' '--restart-wait=[seconds before the first restart]:seconds: '
        '--hosts=[hosts, as node1\:4,node2\:4, or a host file]:hosts:_files' '--dry-run[prints the mpirun command line]')
      # A host file stands before the command unless --hosts or Slurm names the hosts.
      if [[ $script == mpirun && -z $SLURM_JOB_NODELIST && -z ${words[(r)--hosts*]} ]]; then
        before+=('1:host file:_files')
        skipped=1
      fi
      ;;
    *) before=('(- *)--version[print the version]') ;;
  esac
  _arguments -C $before '(- *)'{-h,--help}'[list the commands]' '(-):command:->command' '(-)*::argument:->argument'
  if [[ $state == command ]]; then
    commands=(
)";
  for (const CommandReference& command : commands)
    text += fmt::format("      '{}:{}'\n", command.name, escaped(command.summary));
  text += R"(      'help:list the options of a command'
    )
    _describe -t commands 'command of convoy' commands
    return
  fi
  [[ $state == argument ]] || return
  if ((skipped)); then  # behind the host file
    shift words
    ((CURRENT -= 1))
  fi
  case $words[1] in
)";
  std::vector<std::string> names;
  for (const CommandReference& command : commands) {
    names.push_back(command.name);
    text += arguments_of(command);
  }
  text += fmt::format("    help) _arguments '1:command:({})' ;;\n", text_list(names, " "));
  return text + R"(  esac
}

if [[ $funcstack[1] == _convoy ]]; then
  _convoy "$@"
else
  compdef _convoy convoy launch/local ./launch/local launch/mpirun ./launch/mpirun
fi
)";
}

}  // namespace convoy
