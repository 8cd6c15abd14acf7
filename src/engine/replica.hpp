// A network's parameters on one device and the programs compiled from them: all that inference needs. cpu/
// (oneDNN) and cuda/ (cuDNN) implement it, engine/engine.hpp makes it; inference/ and what train/ does
// between steps use it.
#pragma once

#include <memory>
#include <memory_resource>
#include <span>
#include <string_view>

#include "engine/memory_use.hpp"
#include "engine/program.hpp"
#include "engine/tuning/tuner.hpp"
#include "model/net_spec.hpp"
#include "model/parameter_table.hpp"

namespace convoy {

class Replica {
 public:
  virtual ~Replica() = default;

  virtual const NetSpec& spec() const = 0;
  virtual const ParameterTable& table() const = 0;
  virtual std::string_view device_name() const = 0;  // "cpu", "cuda"

  // All parameters in canonical order, host side; waits for the device.
  virtual void write_parameters(std::span<const float> values) = 0;
  virtual void read_parameters(std::span<float> values) const = 0;

  // Where a loader's batches are best kept: page-locked memory on a GPU. Valid as long as the replica.
  virtual std::pmr::memory_resource& transfer_memory() { return *std::pmr::get_default_resource(); }

  // Collective where ReplicaOptions::agree is set: every rank compiles the same programs in the same order.
  // Programs for training are compiled from a TrainingReplica alone (ExitCode::bug).
  virtual std::unique_ptr<Program> compile(const ProgramOptions& options) = 0;

  // What was chosen for the programs compiled so far, where there was a choice.
  virtual std::span<const Decision> tuning_decisions() const { return {}; }

  // What it holds beside its programs.
  virtual ReplicaMemory memory_use() const { return {}; }
};

}  // namespace convoy
