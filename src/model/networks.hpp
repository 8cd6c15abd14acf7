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
      dropout;         // replaces p everywhere; 0 removes the layers' effect but keeps them in the list
  int input_side = 0;  // 0: the network's own; refused where the network takes one size only
};

// Names in the order of the documentation.
std::vector<std::string> network_names();

// Throws ExitCode::usage listing the names for an unknown one, or naming the change that is not possible.
NetSpec make_network(std::string_view name, const NetworkChanges& changes = {});

}  // namespace convoy
