// Which network a file's tensors are taken for, where several have parameters of the same shapes. Used by
// foreign_model.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "foreign/caffe_model.hpp"
#include "foreign/match.hpp"

namespace convoy {

// What decides, the first that says something.
struct NetworkHints {
  std::string network = {};           // that the user named: any other is an error
  std::string preferred = {};         // taken if it fits; if it does not, any that fits
  const CaffeModel* caffe = nullptr;  // the layers of the file, or else the name of its network
  std::string exported = {};          // the network that Convoy exported the file from
};

struct ChosenNetwork {
  NetworkMatch match;
  std::vector<std::string> alike;  // other networks that fit
};

// Throws ExitCode::bad_data if the tensors fit no network, usage if they do not fit the one that the user
// named or nothing decides. `file` is named in errors.
ChosenNetwork choose_network(const std::string& file, std::span<const NamedTensor> tensors,
                             const NetworkHints& hints);

// Whether a file of Caffe describes this network's order of layers and constant of normalisation.
bool is_described(const CaffeModel& model, const std::string& network);

}  // namespace convoy
