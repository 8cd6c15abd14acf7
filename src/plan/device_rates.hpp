// How long a step takes on one rank of a device, for any number of rows: a time that does not depend on them
// (weights that are read, launches, the update) and a time for each row. Fitted to measured steps; used by
// plan.cpp.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/net_spec.hpp"
#include "model/parameter_table.hpp"
#include "plan/step_prediction.hpp"

namespace convoy {

// A step of one rank without communication, as measured.
struct MeasuredStep {
  std::string source = {};  // file
  std::string model = {}, precision = {}, device = {};
  int rows = 0;
  int threads = 0, cores = 0;  // of the rank and of its machine; 0 on GPUs
  DeviceStep seconds = {};     // `ready` empty: not measured
};

struct FixedAndPerRow {
  double fixed = 0, per_row = 0;
  double at(int rows) const { return fixed + per_row * rows; }
};

struct DeviceRates {
  FixedAndPerRow input = {}, forward = {}, backward = {}, update = {};
  std::vector<ReadyPoint> ready = {};  // seconds as a fraction of backward
  int threads = 0, cores = 0;
  double worst_error = 0;  // of the fit: largest |fitted ÷ measured − 1| of a step
};

// Throws ExitCode::usage if there is none, or if they are of different networks, precisions or devices.
// Measured at one batch alone, forward and backward are taken to be proportional to rows and the update not
// to depend on them.
DeviceRates fit_device_rates(std::span<const MeasuredStep> steps);

// `share`: how many times as long a rank takes because others compute on its cores.
DeviceStep device_step(const DeviceRates& rates, int rows, double share);

// Of `ranks` on a node of `cores`, for rates measured with `threads`: at least 1.
double core_share(int ranks, int threads, int cores);

// Where backward completes gradients, as fractions of its time, by the multiplications of each layer: for
// devices on which nobody measured it. The last layers come first and take little; fc6, fc7 and fc8 have 9
// parameters of 10.
std::vector<ReadyPoint> ready_by_arithmetic(const NetSpec& spec, const ParameterTable& table);

// A step of `images_per_second` whose parts nobody measured: forward a third, backward two thirds, as the
// multiplications.
MeasuredStep step_of_speed(double images_per_second, int rows);

}  // namespace convoy
