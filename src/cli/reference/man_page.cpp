#include "cli/reference/man_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "base/text_wrap.hpp"

namespace convoy {
namespace {

constexpr std::size_t line_length = 72;  // of the sources; readers fill lines as wide as their terminal

std::string upper_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; });
  return text;
}

std::string heading(const std::string& page, std::string_view summary) {
  return fmt::format(".TH {} 1 {} \"Convoy {}\" \"Convoy\"\n.SH NAME\n{} \\- {}\n",
                     roff_text(upper_case(page)), CONVOY_RELEASE_DATE, CONVOY_VERSION, roff_text(page),
                     roff_text(summary));
}

// Breaks a text into source lines; none may begin with what roff takes for a request.
std::string filled(std::string_view text) {
  std::istringstream lines(wrapped(text, line_length));
  std::string result;
  for (std::string line; std::getline(lines, line);) result += roff_text(line) + "\n";
  return result;
}

// A description: paragraphs, and lists whose items begin with "  * ".
std::string paragraphs(const std::string& text) {
  constexpr std::string_view bullet = "  * ";
  std::string result, pending;
  const auto flush = [&] {
    result += filled(pending);
    pending.clear();
  };
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      flush();
      result += ".PP\n";
    } else if (line.starts_with(bullet)) {
      flush();
      result += ".IP \\(bu 2\n";
      pending = line.substr(bullet.size());
    } else {
      pending += (pending.empty() ? "" : " ") + line;
    }
  }
  flush();
  return result;
}

// Lines as they are.
std::string verbatim(const std::string& text) {
  std::istringstream lines(text);
  std::string result = ".EX\n";
  for (std::string line; std::getline(lines, line);) result += roff_text(line) + "\n";
  return result + ".EE\n";
}

std::string option_entry(const OptionFacts& option) {
  std::string text = fmt::format(".TP\n\\fB{}\\fR", roff_text("--" + option.name));
  if (option.keyed) text += ".\\fIKEY\\fR";
  if (!option.without.empty())
    text += fmt::format(" [\\fI{}\\fR]", roff_text(option.value_name));
  else if (!option.flag)
    text += fmt::format(" \\fI{}\\fR", roff_text(option.value_name));
  return text + "\n" + filled(option.help);
}

std::string exit_codes() {
  std::string text = ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : exit_code_meanings())
    text += fmt::format(".TP\n{}\n{}", static_cast<int>(code), filled(meaning));
  return text;
}

}  // namespace

std::string roff_text(std::string_view text) {
  std::string result;
  if (text.starts_with('.') || text.starts_with('\'')) result = "\\&";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      if (byte == '\\')
        result += "\\e";
      else if (byte == '-')
        result += "\\-";
      else
        result += text[i];
      continue;
    }
    // UTF-8: the number of leading ones is the number of bytes.
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    unsigned code = byte & (0xFFU >> (length + 1));
    for (std::size_t k = 1; k < length && i + 1 < text.size(); ++k)
      code = code << 6 | (static_cast<unsigned char>(text[++i]) & 0x3FU);
    result += fmt::format("\\[u{:04X}]", code);
  }
  return result;
}

std::string man_page_of(const CommandReference& command) {
  std::string text = heading("convoy-" + command.name, command.summary);
  text += ".SH SYNOPSIS\n" + filled(command.usage);
  text += ".SH DESCRIPTION\n" + paragraphs(command.description);
  for (const ArgumentFacts& argument : command.arguments)
    text += fmt::format(".TP\n\\fI{}\\fR\n{}", roff_text(argument.name), filled(argument.help));
  text += ".SH OPTIONS\n";
  std::string group;
  for (const OptionFacts& option : command.options) {
    if (option.group != group) text += ".SS " + roff_text(group = option.group) + "\n";
    text += option_entry(option);
  }
  text += exit_codes();
  text += ".SH EXAMPLES\n" + verbatim(command.example);
  return text + ".SH SEE ALSO\n.BR convoy (1)\n";
}

std::string man_page_of_program(std::span<const CommandReference> commands) {
  std::string text = heading("convoy", "synchronous training of AlexNet over MPI ranks");
  text += ".SH SYNOPSIS\n" + filled("convoy COMMAND [--option value …]");
  text += ".SH DESCRIPTION\n" + filled(program_summary) + ".PP\n" +
          filled(
              "launch/local COMMAND … starts a command on this node with ranks and threads to suit it, "
              "launch/mpirun --hosts node1:4,node2:4 COMMAND … on several hosts, srun convoy COMMAND … in a "
              "Slurm job.");
  text += ".SH COMMANDS\n";
  for (const CommandReference& command : commands)
    text += fmt::format(".TP\n.BR {} (1)\n{}", roff_text("convoy-" + command.name), filled(command.summary));
  text += exit_codes();
  text += ".SH ENVIRONMENT\n";
  constexpr std::pair<std::string_view, std::string_view> variables[] = {
      {"NO_COLOR", "if it is set to anything, nothing is printed in colour"},
      {"TERM", "on a terminal that is dumb, no line is overwritten and nothing is printed in colour"},
      {"XDG_CACHE_HOME", "the folder convoy in it keeps measured answers of --tune [~/.cache]"},
      {"CUDA_VISIBLE_DEVICES", "the GPUs that may be used"}};
  for (const auto& [name, meaning] : variables)
    text += fmt::format(".TP\n\\fB{}\\fR\n{}", roff_text(name), filled(meaning));
  text += ".SH SEE ALSO\n";
  for (const CommandReference& command : commands)
    text += fmt::format(".BR {} (1){}\n", roff_text("convoy-" + command.name),
                        &command == &commands.back() ? "" : ",");
  return text;
}

}  // namespace convoy
