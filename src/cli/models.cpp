#include <fmt/format.h>

#include "cli/commands.hpp"
#include "model/networks.hpp"
#include "model/parameter_table.hpp"

namespace convoy {
namespace {

// 60965224 → "60,965,224".
std::string grouped(long long number) {
  const std::string digits = fmt::format("{}", number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

class ModelsCommand : public Command {
 public:
  std::string_view name() const override { return "models"; }
  std::string_view summary() const override { return "list the networks with their parameters and cost"; }
  std::string_view description() const override {
    return R"(Lists the networks for --model: the size of their input, the number of parameters, and the
multiply-accumulates (MAC) of one image's forward pass.)";
  }
  std::string_view example() const override { return "  convoy models\n  convoy models --classes 10"; }
  bool uses_ranks() const override { return false; }

  void declare(OptionTable& table) override {
    table.add_integer("classes", "number of classes; 0: each network's default", classes_, 0, 1 << 20);
  }

  ExitCode run_alone(const Log&) override {
    fmt::print("{:<24} {:>9} {:>8} {:>13} {:>15}   {}\n", "model", "input", "classes", "parameters",
               "MAC / image", "");
    for (const std::string& name : network_names()) {
      NetworkChanges changes;
      changes.classes = classes_;
      const NetSpec spec = make_network(name, changes);
      fmt::print("{:<24} {:>9} {:>8} {:>13} {:>15}   {}\n", name,
                 fmt::format("{}x{}x{}", spec.input.channels, spec.input.height, spec.input.width),
                 class_count(spec), grouped(static_cast<long long>(ParameterTable(spec).count())),
                 grouped(multiply_accumulates(spec)), spec.description);
    }
    return ExitCode::done;
  }

 private:
  int classes_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_models_command() {
  return std::make_unique<ModelsCommand>();
}

}  // namespace convoy
