#include "cli/command.hpp"

#include "cli/commands.hpp"

namespace convoy {

ExitCode Command::run(RankContext&) {
  fail(ExitCode::bug, "{} cannot run on several ranks", name());
}

ExitCode Command::run_alone(const Log&) {
  fail(ExitCode::bug, "{} requires a communicator", name());
}

std::vector<std::unique_ptr<Command>> make_commands() {
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(make_train_command());
  commands.push_back(make_plan_command());
  commands.push_back(make_evaluate_command());
  commands.push_back(make_predict_command());
  commands.push_back(make_report_command());
  commands.push_back(make_visualize_command());
  commands.push_back(make_pack_command());
  commands.push_back(make_synthesize_command());
  commands.push_back(make_verify_command());
  commands.push_back(make_import_command());
  commands.push_back(make_export_command());
  commands.push_back(make_models_command());
  commands.push_back(make_doctor_command());
  commands.push_back(make_completion_command());
  commands.push_back(make_man_command());
  return commands;
}

}  // namespace convoy
