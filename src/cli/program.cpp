#include "cli/program.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <optional>

#include "base/log.hpp"
#include "cli/command.hpp"
#include "cli/stop_signals.hpp"
#include "comm/communicator.hpp"
#include "comm/group_end.hpp"
#include "settings/spelling.hpp"

namespace convoy {
namespace {

// What the launcher (mpirun, srun) says about this process before MPI is started; `otherwise` without a
// launcher.
int launcher_number(std::initializer_list<const char*> variables, int otherwise) {
  for (const char* variable : variables)
    if (const char* text = std::getenv(variable)) return std::atoi(text);
  return otherwise;
}

int launcher_rank() {
  return launcher_number({"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}, 0);
}

int launcher_size() {
  return launcher_number({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"}, 1);
}

std::string overview(const std::vector<std::unique_ptr<Command>>& commands) {
  std::string text =
      "Convoy trains AlexNet in lockstep over MPI ranks, on images packed into a sharded HDF5 store.\n\n"
      "Usage: convoy COMMAND [--option value …]\n\nCommands:\n";
  for (const auto& command : commands)
    text += fmt::format("  {:<12} {}\n", command->name(), command->summary());
  text +=
      "\nconvoy help COMMAND (or convoy COMMAND --help) lists the options of a command and shows an "
      "example.\n"
      "Several ranks: launch/local train … (this node), launch/mpirun HOSTFILE train … (hosts), srun convoy "
      "train …\n\n"
      "Exit codes: 0 done, 64 wrong usage, 65 bad data, 70 a bug, 71 device or library failure, 74 "
      "input/output failure,\n"
      "75 stopped on request with a checkpoint saved (start me again), 76 training diverged.\n";
  return text;
}

void print_help(const Command& command, const OptionTable& table) {
  fmt::print("{}\n\n{}\n\n{}\nExample:\n{}\n", command.summary(), command.description(), table.help_text(),
             command.example());
}

Command& find_command(const std::vector<std::unique_ptr<Command>>& commands, const std::string& name) {
  std::vector<std::string_view> names;
  for (const auto& command : commands) {
    if (command->name() == name) return *command;
    names.push_back(command->name());
  }
  const std::string near = nearest_name(name, names);
  fail(ExitCode::usage, "there is no command '{}'{}; convoy --help lists them", name,
       near.empty() ? "" : fmt::format(" (did you mean {}?)", near));
}

void print_usage_error(const Error& error) {
  const std::string_view text = error.what();
  fmt::print(stderr, "{}{}\n", text.starts_with("convoy ") ? "" : "convoy: ", text);
}

void read_options(Command& command, OptionTable& table, const std::vector<std::string>& arguments) {
  command.declare(table);
  table.parse(arguments);
  if (!table.help_wanted()) command.check(table);
}

// Every rank read the options for itself (a configuration file may be missing on one host): all go on, or all
// end with the error of the lowest rank that has one, told once.
std::optional<ExitCode> agree_on_options(Communicator& communicator, const std::optional<Error>& mine) {
  const std::string text =
      mine ? fmt::format("{:03}{}", static_cast<int>(mine->category()), mine->what()) : std::string();
  const std::vector<std::string> all = communicator.gather_texts(text);
  for (int rank = 0; rank < communicator.size(); ++rank) {
    if (all[rank].empty()) continue;
    if (rank == communicator.rank()) print_usage_error(*mine);
    return static_cast<ExitCode>(std::atoi(all[rank].substr(0, 3).c_str()));
  }
  return std::nullopt;
}

ExitCode run_on_ranks(Command& command, const std::optional<Error>& usage, int* argc, char*** argv) {
  std::optional<StopSignals> signals;
  if (command.answers_stop()) signals.emplace();
  const std::atomic<bool> never = false;
  Communicator communicator(argc, argv);
  if (const auto code = agree_on_options(communicator, usage)) return *code;
  const Log log(communicator.rank(), communicator.size());
  try {
    RankContext context{communicator, log, signals ? signals->requested() : never};
    return command.run(context);
  } catch (...) {
    return end_group(communicator, log, as_error(std::current_exception()));
  }
}

ExitCode run_command(Command& command, const std::vector<std::string>& arguments, int* argc, char*** argv) {
  OptionTable table(fmt::format("convoy {}", command.name()));
  std::optional<Error> usage;
  try {
    read_options(command, table, arguments);
  } catch (...) {
    usage = as_error(std::current_exception());
  }
  const bool alone = launcher_size() <= 1;
  if (table.help_wanted() || (usage && alone) || !command.uses_ranks()) {
    if (launcher_rank() != 0 && !alone) return ExitCode::done;  // rank 0 answers for all
    if (usage) print_usage_error(*usage);
    if (usage) return usage->category();
    if (!table.help_wanted()) return command.run_alone(Log());
    print_help(command, table);
    return ExitCode::done;
  }
  return run_on_ranks(command, usage, argc, argv);
}

ExitCode dispatch(int* argc, char*** argv) {
  std::vector<std::string> arguments(*argv + 1, *argv + *argc);
  const auto commands = make_commands();
  const std::string first = arguments.empty() ? "--help" : arguments.front();
  if (first == "--version" || first == "version") {
    if (launcher_rank() == 0) fmt::print("convoy {}\n", CONVOY_VERSION);
    return ExitCode::done;
  }
  if (first == "--help" || first == "-h" || (first == "help" && arguments.size() == 1)) {
    if (launcher_rank() == 0) fmt::print("{}", overview(commands));
    return arguments.empty() ? ExitCode::usage : ExitCode::done;
  }
  if (first == "help") arguments = {arguments[1], "--help"};
  Command& command = find_command(commands, arguments.front());
  return run_command(command, {arguments.begin() + 1, arguments.end()}, argc, argv);
}

}  // namespace

ExitCode run_program(int* argc, char*** argv) noexcept {
  try {
    return dispatch(argc, argv);
  } catch (...) {
    const Error error = as_error(std::current_exception());
    if (launcher_rank() != 0 && error.category() == ExitCode::usage)
      return ExitCode::done;  // rank 0 answers for all
    print_usage_error(error);
    return error.category();
  }
}

}  // namespace convoy
