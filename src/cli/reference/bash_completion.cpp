#include <fmt/format.h>

#include "base/text_list.hpp"
#include "cli/reference/completion.hpp"

namespace convoy {
namespace {

// The parts of the script that do not depend on the commands. Bash splits words at = too, so that
// --model=alexnet arrives as three.
constexpr std::string_view beginning =
    R"(# Completion of convoy, launch/local and launch/mpirun for bash; made by: convoy completion bash

# _convoy_offer WORD...: those that begin with the word at the cursor.
_convoy_offer() {
  mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
}

# _convoy_offer_paths -f|-d [WORD...]: files or folders, and words.
_convoy_offer_paths() {
  local action=$1
  shift
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(
    compgen "$action" -- "$cur"
    compgen -W "$*" -- "$cur"
  )
}

)";

constexpr std::string_view end = R"(
_convoy() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at=$COMP_CWORD
  COMPREPLY=()
  if [[ $cur == '=' ]]; then
    cur=''
  elif [[ $prev == '=' ]]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
    at=$((at - 1))
  fi
  # Where the command is: behind the options of launch/local and launch/mpirun, and behind the host file of launch/mpirun, which
  # is needed unless --hosts or Slurm names the hosts.
  local first=1 script=${COMP_WORDS[0]##*/} host_file=no
  case $script in local | mpirun)
    if [[ $script == mpirun && -z ${SLURM_JOB_NODELIST:-} ]]; then host_file=yes; fi
    while [[ ${COMP_WORDS[first]} == -* ]] && ((first < at)); do
      case ${COMP_WORDS[first]} in
        --dry-run) first=$((first - 1)) ;;
        --hosts) host_file=no ;;
      esac
      if [[ ${COMP_WORDS[first + 1]:-} == '=' ]]; then first=$((first + 1)); fi
      first=$((first + 2))
      while [[ ${COMP_WORDS[first]:-} == ':' ]]; do first=$((first + 2)); done  # node1:4
    done
    if ((at < first)); then
      if [[ $prev == --hosts ]]; then _convoy_offer_paths -f; fi
      return
    fi
    if [[ $cur == -* ]] && ((at == first)); then
      _convoy_offer --hosts -n --ranks --threads --restarts --restart-wait --dry-run --help
      return
    fi
    if [[ $host_file == yes ]]; then first=$((first + 1)); fi ;;
  esac
  if ((at < first)); then
    _convoy_offer_paths -f
  elif ((at == first)); then
    if [[ $cur != -* ]]; then
      _convoy_offer "$_convoy_commands help"
    else
      _convoy_offer --help --version
    fi
  else
    local command=${COMP_WORDS[first]}
    if [[ $command == help ]]; then
      _convoy_offer "$_convoy_commands"
    elif [[ $prev != --* ]] || ! _convoy_value "$command" "$prev"; then
      if [[ $cur == -* ]]; then
        _convoy_options "$command"
      else
        _convoy_argument "$command" "$first" "$at"
      fi
    fi
  fi
  if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == --*. ]]; then compopt -o nospace 2>/dev/null; fi
}

complete -F _convoy convoy launch/local ./launch/local launch/mpirun ./launch/mpirun
)";

std::string offer(const ValueKind& kind) {
  const std::string words = fmt::format("{}{}", kind.words.empty() ? "" : " ", text_list(kind.words, " "));
  if (kind.files) return "_convoy_offer_paths -f" + words;
  if (kind.folders) return "_convoy_offer_paths -d" + words;
  return kind.words.empty() ? ":" : "_convoy_offer" + words;
}

// _convoy_options COMMAND: its options. Those with keys (lr.conv1) are offered up to the dot.
std::string options_function(std::span<const CommandReference> commands) {
  std::string text = "_convoy_options() {\n  case $1 in\n";
  for (const CommandReference& command : commands) {
    std::vector<std::string> names = {"--help"};
    for (const OptionFacts& option : command.options)
      names.push_back(fmt::format("--{}{}", option.name, option.keyed ? "." : ""));
    text += fmt::format("    {}) _convoy_offer {} ;;\n", command.name, text_list(names, " "));
  }
  return text + "  esac\n}\n";
}

// _convoy_value COMMAND OPTION: the option's values; fails where it takes none.
std::string value_function(std::span<const CommandReference> commands) {
  std::string text = "\n_convoy_value() {\n  case \"$1 $2\" in\n";
  for (const CommandReference& command : commands) {
    for (const OptionFacts& option : command.options) {
      if (option.flag || !option.without.empty()) continue;
      text += fmt::format("    '{} --{}'{}) {} ;;\n", command.name, option.name, option.keyed ? ".*" : "",
                          offer(kind_of(option.value_name, option.words)));
    }
  }
  return text + "    *) return 1 ;;\n  esac\n}\n";
}

// _convoy_argument COMMAND FIRST AT: arguments without a dash; FIRST and AT are the places of the command and
// of the word at the cursor.
std::string argument_function(std::span<const CommandReference> commands) {
  std::string text = R"(
_convoy_argument() {
  local number=0 place
  for ((place = $2 + 1; place < $3; ++place)); do
    case ${COMP_WORDS[place]} in
      --*) if _convoy_value "$1" "${COMP_WORDS[place]}"; then
        place=$((place + 1))
        if [[ ${COMP_WORDS[place]} == '=' ]]; then place=$((place + 1)); fi
      fi ;;
      *) number=$((number + 1)) ;;
    esac
  done
  COMPREPLY=()
  case "$1 $number" in
)";
  for (const CommandReference& command : commands) {
    for (std::size_t i = 0; i < command.arguments.size(); ++i) {
      const ArgumentFacts& argument = command.arguments[i];
      const ValueKind kind = kind_of(argument.name);
      text += fmt::format("    '{} '{}) {} ;;\n", command.name,
                          argument.many ? std::string("*") : fmt::format("{}", i), offer(kind));
    }
  }
  return text + "    *) _convoy_options \"$1\" ;;\n  esac\n}\n";
}

}  // namespace

std::string bash_completion(std::span<const CommandReference> commands) {
  std::vector<std::string> names;
  for (const CommandReference& command : commands) names.push_back(command.name);
  return fmt::format("{}_convoy_commands='{}'\n\n{}{}{}{}", beginning, text_list(names, " "),
                     options_function(commands), value_function(commands), argument_function(commands), end);
}

}  // namespace convoy
