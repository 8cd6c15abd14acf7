#include "cli/reference/completion.hpp"

#include <fmt/format.h>

#include "cli/commands.hpp"

namespace convoy {
namespace {

class CompletionCommand : public Command {
 public:
  std::string_view name() const override { return "completion"; }
  std::string_view summary() const override { return "print the completion script for a shell"; }
  std::string_view description() const override {
    return R"(Prints a script with which bash or zsh completes Convoy's commands, options, values, files and recipes when
Tab is pressed, also behind launch/local and launch/mpirun. cmake --install puts it where shells look.)";
  }
  std::string_view example() const override {
    return R"(  source <(convoy completion bash)                        # in ~/.bashrc
  source <(convoy completion zsh)                         # in ~/.zshrc, after compinit)";
  }
  bool uses_ranks() const override { return false; }

  void declare(OptionTable& table) override {
    table.positional("bash|zsh", "the shell", shell_, true, false);
  }

  void check(const OptionTable&) override {
    if (shell_[0] != "bash" && shell_[0] != "zsh")
      fail(ExitCode::usage, "convoy completion: there is none for '{}'; the shells are bash and zsh",
           shell_[0]);
  }

  ExitCode run_alone(const Log&) override {
    const std::vector<CommandReference> commands = command_references();
    fmt::print("{}", shell_[0] == "bash" ? bash_completion(commands) : zsh_completion(commands));
    return ExitCode::done;
  }

 private:
  std::vector<std::string> shell_;
};

}  // namespace

std::unique_ptr<Command> make_completion_command() {
  return std::make_unique<CompletionCommand>();
}

}  // namespace convoy
