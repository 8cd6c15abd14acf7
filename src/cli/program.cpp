#include "cli/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/build_identity.hpp"
#include "base/host_name.hpp"
#include "base/log.hpp"
#include "base/startup_clock.hpp"
#include "base/terminal.hpp"
#include "cli/command.hpp"
#include "cli/common_options.hpp"
#include "cli/reference/command_reference.hpp"
#include "cli/standard_output.hpp"
#include "cli/stop_signals.hpp"
#include "comm/communicator.hpp"
#include "comm/gather.hpp"
#include "comm/group_end.hpp"
#include "comm/launcher.hpp"
#include "comm/start_guard.hpp"
#include "settings/spelling.hpp"
#include "train/batch_text.hpp"

namespace convoy {
namespace {

std::string overview(const std::vector<std::unique_ptr<Command>>& commands) {
  const bool colour = shows_colour(Stream::output);
  std::string text =
      fmt::format("{}\n\n{} convoy COMMAND [--option value …]\n\n{}\n", program_summary,
                  styled("Usage:", Style::bold, colour), styled("Commands:", Style::bold, colour));
  for (const auto& command : commands)
    text += fmt::format("  {:<12} {}\n", command->name(), command->summary());
  text += R"(
convoy COMMAND --help lists the options of a command with an example; man convoy-COMMAND says the same where
Convoy is installed.
Several ranks: launch/local train … (this node), launch/mpirun HOSTFILE train … (hosts), srun convoy train …

)";
  text += styled("Exit codes:", Style::bold, colour) + "\n";
  for (const auto& [code, meaning] : exit_code_meanings())
    text += fmt::format("  {:<3} {}\n", static_cast<int>(code), meaning);
  return text;
}

void print_help(const Command& command, const OptionTable& table) {
  const bool colour = shows_colour(Stream::output);
  fmt::print("{}\n\n{}\n\n{}\n{}\n{}\n", command.summary(), command.description(), table.help_text(colour),
             styled("Example:", Style::bold, colour), command.example());
}

Command& find_command(const std::vector<std::unique_ptr<Command>>& commands, const std::string& name) {
  std::vector<std::string_view> names;
  for (const auto& command : commands) {
    if (command->name() == name) return *command;
    names.push_back(command->name());
  }
  if (name.starts_with('-'))
    fail(ExitCode::usage,
         "{} comes before the command; write convoy COMMAND {}. convoy --help lists the commands", name,
         name);
  const std::string near = nearest_name(name, names);
  fail(ExitCode::usage, "unknown command '{}'{}; convoy --help lists the commands", name,
       near.empty() ? "" : fmt::format(" (did you mean {}?)", near));
}

// "convoy train: …", the part before the colon in colour.
void print_usage_error(const Error& error) noexcept {
  const std::string_view text = error.what();
  const std::size_t colon = text.starts_with("convoy ") ? text.find(':') : std::string_view::npos;
  const bool named = colon != std::string_view::npos;
  print_error_line(fmt::format("{} {}",
                               styled(named ? text.substr(0, colon + 1) : std::string_view("convoy:"),
                                      Style::red, shows_colour(Stream::messages)),
                               named ? text.substr(text.find_first_not_of(' ', colon + 1)) : text));
}

// The options of a command as the user gave them.
struct Request {
  Command& command;
  OptionTable table;
  CommonOptions common;
  LogLevel level = LogLevel::info;
  std::optional<Error> usage;  // what is wrong with them

  explicit Request(Command& wanted) : command(wanted), table(fmt::format("convoy {}", wanted.name())) {}
};

void read_options(Request& request, const std::vector<std::string>& arguments) {
  Command& command = request.command;
  try {
    command.declare(request.table);
    request.common.declare(request.table, command.uses_ranks());
    request.table.parse(arguments);
    if (request.table.help_wanted()) return;
    request.level = request.common.level();
    command.check(request.table);
  } catch (...) {
    request.usage = as_error(std::current_exception(), memory_advice);
  }
}

// Every rank reads the options itself (a configuration file may be missing on one host): all continue, or all
// end with the error of the lowest rank that has one, reported once.
std::optional<ExitCode> agree_on_options(Communicator& communicator, const std::optional<Error>& mine) {
  const std::vector<ExitCode> codes = gather(communicator, mine ? mine->category() : ExitCode::done);
  const auto first = std::ranges::find_if(codes, [](ExitCode code) { return code != ExitCode::done; });
  if (first == codes.end()) return std::nullopt;
  if (first - codes.begin() == communicator.rank()) print_usage_error(*mine);
  return *first;
}

// What must be the same on all ranks before they exchange anything else: they would wait for each other in
// different places, or compute differently.
struct RankProgram {
  std::string host, command, version, build;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankProgram, host, command, version, build)

// Empty if every rank runs rank 0's command and build.
std::string program_difference(const std::vector<RankProgram>& programs) {
  const RankProgram& first = programs.front();
  for (std::size_t rank = 1; rank < programs.size(); ++rank) {
    const RankProgram& other = programs[rank];
    if (other.version != first.version || other.build != first.build)
      return fmt::format(
          "rank {} on {} runs another build of Convoy ({}, build {}) than rank 0 on {} ({}, build {}): "
          "install "
          "the same build on every node",
          rank, other.host, other.version, other.build, first.host, first.version, first.build);
    if (other.command != first.command)
      return fmt::format(
          "rank {} on {} runs convoy {}, but rank 0 on {} convoy {}: start all ranks with one command", rank,
          other.host, other.command, first.host, first.command);
  }
  return {};
}

std::optional<ExitCode> agree_on_program(Communicator& communicator, const Command& command) {
  if (communicator.size() == 1) return std::nullopt;
  const RankProgram mine{host_name(), std::string(command.name()), CONVOY_VERSION, build_identity()};
  const std::string difference = program_difference(gather(communicator, mine));
  if (difference.empty()) return std::nullopt;
  if (communicator.rank() == 0) print_error_line(fmt::format("convoy: {}", difference));
  return ExitCode::usage;
}

// Processes that MPI does not connect all end; the first one says why.
std::optional<ExitCode> check_connection(const Launcher& launcher, int ranks) {
  const std::string reason = disconnected_ranks(launcher, ranks);
  if (reason.empty()) return std::nullopt;
  if (launcher.rank == 0) print_error_line(fmt::format("convoy: {}", reason));
  return ExitCode::usage;
}

ExitCode run_on_ranks(const Request& request, const Launcher& launcher, StandardOutput& output, int* argc,
                      char*** argv) {
  StartupClock startup;
  Command& command = request.command;
  std::optional<StopSignals> signals;
  if (command.answers_stop()) signals.emplace();
  std::atomic<bool> never = false;
  if (launcher.without_pmi && needs_pmi_variables()) {
    if (!request.common.allow_single())
      if (const auto code = check_connection(launcher, 1)) return *code;
    hide_step();
  }
  std::optional<StartGuard> guard;
  if (launcher.size > 1) guard.emplace(command.start_patience(), launcher.rank);
  Communicator communicator(argc, argv);
  if (!request.common.allow_single())
    if (const auto code = check_connection(launcher, communicator.size())) return *code;
  if (const auto code = agree_on_program(communicator, command)) return *code;
  if (const auto code = agree_on_options(communicator, request.usage)) return *code;
  guard.reset();
  const Log log(communicator.rank(), communicator.size(), request.level);
  startup.end_phase("MPI");
  if (!command.must_print()) output.may_be_lost();
  try {
    RankContext context{communicator, log, startup, signals ? signals->requested() : never};
    return command.run(context);
  } catch (...) {
    // Commands print last, on rank 0: the other ranks have ended.
    if (output.caused(std::current_exception())) return ExitCode::done;
    return end_group(communicator, log, as_error(std::current_exception(), memory_advice));
  }
}

ExitCode run_command(Command& command, const std::vector<std::string>& arguments, StandardOutput& output,
                     int* argc, char*** argv) {
  Request request(command);
  read_options(request, arguments);
  const Launcher launcher = find_launcher();
  const bool alone = launcher.size <= 1;
  const bool help = request.table.help_wanted();
  if (!help && command.uses_ranks() && !(request.usage && alone))
    return run_on_ranks(request, launcher, output, argc, argv);
  if (launcher.rank != 0) return ExitCode::done;  // rank 0 responds for all
  if (request.usage) {
    print_usage_error(*request.usage);
    return request.usage->category();
  }
  if (!help) return command.run_alone(Log(0, 1, request.level));
  print_help(command, request.table);
  return ExitCode::done;
}

ExitCode dispatch(StandardOutput& output, int* argc, char*** argv) {
  std::vector<std::string> arguments(*argv + 1, *argv + *argc);
  const auto commands = make_commands();
  const std::string first = arguments.empty() ? "--help" : arguments.front();
  if (first == "--version" || first == "version") {
    if (find_launcher().rank == 0) fmt::print("convoy {}\n", CONVOY_VERSION);
    return ExitCode::done;
  }
  if (first == "--help" || first == "-h" || (first == "help" && arguments.size() == 1)) {
    if (find_launcher().rank == 0) fmt::print("{}", overview(commands));
    return arguments.empty() ? ExitCode::usage : ExitCode::done;
  }
  if (first == "help") arguments = {arguments[1], "--help"};
  Command& command = find_command(commands, arguments.front());
  return run_command(command, {arguments.begin() + 1, arguments.end()}, output, argc, argv);
}

ExitCode run(StandardOutput& output, int* argc, char*** argv) noexcept {
  try {
    return dispatch(output, argc, argv);
  } catch (...) {
    if (output.caused(std::current_exception())) return ExitCode::done;
    const Error error = as_error(std::current_exception(), memory_advice);
    if (find_launcher().rank != 0 && error.category() == ExitCode::usage)
      return ExitCode::done;  // rank 0 responds for all
    print_usage_error(error);
    return error.category();
  }
}

}  // namespace

ExitCode run_program(int* argc, char*** argv) noexcept {
  StandardOutput output;
  return output.finish(run(output, argc, argv));
}

}  // namespace convoy
