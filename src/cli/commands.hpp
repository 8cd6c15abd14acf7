// Creates each command; every function is defined in the file of its command.
#pragma once

#include <memory>

#include "cli/command.hpp"

namespace convoy {

std::unique_ptr<Command> make_train_command();
std::unique_ptr<Command> make_evaluate_command();
std::unique_ptr<Command> make_predict_command();
std::unique_ptr<Command> make_plan_command();
std::unique_ptr<Command> make_report_command();
std::unique_ptr<Command> make_visualize_command();
std::unique_ptr<Command> make_pack_command();
std::unique_ptr<Command> make_synthesize_command();
std::unique_ptr<Command> make_verify_command();
std::unique_ptr<Command> make_import_command();
std::unique_ptr<Command> make_export_command();
std::unique_ptr<Command> make_models_command();
std::unique_ptr<Command> make_doctor_command();
std::unique_ptr<Command> make_completion_command();
std::unique_ptr<Command> make_man_command();

}  // namespace convoy
