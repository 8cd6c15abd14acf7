// The AlexNet family by name. Used by every command that takes --model.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/net_spec.hpp"

namespace convoy {

struct NetworkChanges {
  int classes = 0;  // 0: the network's own
  std::optional<double>
      dropout;         // replaces p in all layers; 0 removes the layers' effect but keeps them in the list
  int input_side = 0;  // 0: the network's own; an error if the network accepts only one size
};

// Names in the order of the documentation.
std::vector<std::string> network_names();

// Throws ExitCode::usage with the list of names for an unknown one, or with the change that is not possible.
NetSpec make_network(std::string_view name, const NetworkChanges& changes = {});

}  // namespace convoy
