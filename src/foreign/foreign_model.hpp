// A file of another program as one of Convoy's networks: parameters in Convoy's order, how images are
// prepared, classes. Used by checkpoint/ wherever a checkpoint can be read, and by `convoy import`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/store.hpp"
#include "foreign/foreign_file.hpp"
#include "foreign/foreign_input.hpp"
#include "foreign/match.hpp"
#include "model/net_spec.hpp"

namespace convoy {

struct ForeignOptions {
  std::string network;        // that the user named; empty: recognised
  std::string preferred;      // taken if it is among those of equal shapes, which are no error then
  bool ignore_extra = false;  // leave out tensors that the network does not have
  InputChanges input;
};

struct ForeignModel {
  ForeignFormat format = ForeignFormat::pytorch;
  std::vector<NamedTensor> tensors;  // names, shapes and types alone, without values
  NetworkMatch match;
  std::vector<std::string> alike;  // other networks whose parameters have the same shapes
  NetSpec network;
  std::vector<float> parameters;  // flat, layout of ParameterTable
  ForeignInput input;
  std::vector<ClassEntry> classes;  // those in the file, or ImageNet's if there are 1000, or "class 0", …
  std::vector<std::string> notes;   // what the user should know
};

// Throws ExitCode::bad_data for a file that cannot be used and for tensors that fit no network, usage if
// several networks fit equally, for a network that does not fit, and for tensors that it does not have; the
// text names the tensor and the remedy.
ForeignModel read_foreign_model(const std::filesystem::path& path, const ForeignOptions& options = {});

}  // namespace convoy
