#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/atomic_file.hpp"
#include "cli/commands.hpp"
#include "cli/reference/man_page.hpp"

namespace convoy {
namespace {

class ManCommand : public Command {
 public:
  std::string_view name() const override { return "man"; }
  std::string_view summary() const override { return "print a man page"; }
  std::string_view description() const override {
    return R"(Prints the man page of a command, or of Convoy, as roff. cmake --install puts all of them where man finds
them.)";
  }
  std::string_view example() const override {
    return R"(  convoy man train | man -l -
  convoy man --output ~/.local/share/man/man1)";
  }
  bool uses_ranks() const override { return false; }

  void declare(OptionTable& table) override {
    table.positional("COMMAND", "the command; without one, the page of Convoy", command_, false, false);
    table.add_text("output", "FOLDER",
                   "write all pages to this folder, as convoy.1, convoy-train.1 and so on", output_);
  }

  void check(const OptionTable&) override {
    if (!command_.empty() && !output_.empty())
      fail(ExitCode::usage, "convoy man: --output writes all pages, so no COMMAND is given with it");
  }

  ExitCode run_alone(const Log&) override {
    const std::vector<CommandReference> commands = command_references();
    if (!output_.empty()) {
      write_all(commands);
    } else if (command_.empty()) {
      fmt::print("{}", man_page_of_program(commands));
    } else {
      const auto found = std::ranges::find(commands, command_[0], &CommandReference::name);
      if (found == commands.end())
        fail(ExitCode::usage, "convoy man: there is no command '{}'; convoy --help lists them", command_[0]);
      fmt::print("{}", man_page_of(*found));
    }
    return ExitCode::done;
  }

 private:
  void write_all(std::span<const CommandReference> commands) const {
    const std::filesystem::path folder = output_;
    std::filesystem::create_directories(folder);
    write_file_atomically(folder / "convoy.1", man_page_of_program(commands));
    for (const CommandReference& command : commands)
      write_file_atomically(folder / fmt::format("convoy-{}.1", command.name), man_page_of(command));
  }

  std::vector<std::string> command_;
  std::string output_;
};

}  // namespace

std::unique_ptr<Command> make_man_command() {
  return std::make_unique<ManCommand>();
}

}  // namespace convoy
