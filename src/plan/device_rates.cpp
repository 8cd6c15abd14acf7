#include "plan/device_rates.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <variant>

#include "base/error.hpp"
#include "engine/layer_plan.hpp"

namespace convoy {
namespace {

void require_same(std::span<const MeasuredStep> steps, std::string MeasuredStep::*member, const char* what) {
  for (const MeasuredStep& step : steps) {
    const std::string &mine = step.*member, &first = steps.front().*member;
    if (!mine.empty() && !first.empty() && mine != first)
      fail(ExitCode::usage, "--calibrate: {} measured {} {}, but {} {} {}: pass measurements of one alone",
           steps.front().source, what, first, step.source, what, mine);
  }
}

// Least squares on relative errors of fixed + per_row · rows; neither is negative.
FixedAndPerRow fit(std::span<const MeasuredStep> steps, double DeviceStep::*part) {
  double ss = 0, sr = 0, rr = 0, s = 0, r = 0;
  for (const MeasuredStep& step : steps) {
    const double seconds = step.seconds.*part;
    if (seconds <= 0) continue;
    const double one = 1 / seconds, rows = step.rows / seconds;
    ss += one * one, sr += one * rows, rr += rows * rows, s += one, r += rows;
  }
  if (ss == 0) return {};
  const double determinant = ss * rr - sr * sr;
  FixedAndPerRow result;
  if (determinant > 1e-9 * ss * rr) {
    result = {.fixed = (s * rr - r * sr) / determinant, .per_row = (r * ss - s * sr) / determinant};
  }
  if (result.per_row < 0) return {.fixed = s / ss};
  if (result.fixed < 0 || determinant <= 1e-9 * ss * rr) return {.per_row = r / rr};
  return result;
}

double mean(std::span<const MeasuredStep> steps, double DeviceStep::*part) {
  double sum = 0;
  for (const MeasuredStep& step : steps) sum += step.seconds.*part;
  return sum / static_cast<double>(steps.size());
}

double total(const DeviceStep& step) {
  return step.input + step.forward + step.backward + step.update;
}

// Of the measured step with the most rows, where launches count least.
std::vector<ReadyPoint> ready_fractions(std::span<const MeasuredStep> steps) {
  const MeasuredStep* best = nullptr;
  for (const MeasuredStep& step : steps)
    if (!step.seconds.ready.empty() && step.seconds.backward > 0 &&
        (best == nullptr || step.rows > best->rows))
      best = &step;
  if (best == nullptr) return {};
  std::vector<ReadyPoint> ready = best->seconds.ready;
  for (ReadyPoint& point : ready) point.seconds = std::min(1.0, point.seconds / best->seconds.backward);
  return ready;
}

double multiplications(const PlannedOperation& operation) {
  const auto outputs = static_cast<double>(operation.output.elements());
  if (const auto* convolution = std::get_if<Convolution>(&operation.kind))
    return outputs * convolution->kernel * convolution->kernel * operation.input.channels /
           convolution->groups;
  if (std::holds_alternative<FullyConnected>(operation.kind))
    return outputs * static_cast<double>(operation.input.elements());
  return 0;
}

}  // namespace

DeviceRates fit_device_rates(std::span<const MeasuredStep> steps) {
  if (steps.empty()) fail(ExitCode::usage, "--calibrate: none of the files measured a step");
  require_same(steps, &MeasuredStep::model, "the network");
  require_same(steps, &MeasuredStep::precision, "the precision");
  require_same(steps, &MeasuredStep::device, "the device");
  DeviceRates rates;
  rates.input = {.fixed = mean(steps, &DeviceStep::input)};
  rates.forward = fit(steps, &DeviceStep::forward);
  rates.backward = fit(steps, &DeviceStep::backward);
  rates.update = {.fixed = mean(steps, &DeviceStep::update)};
  rates.ready = ready_fractions(steps);
  rates.threads = steps.front().threads;
  rates.cores = steps.front().cores;
  for (const MeasuredStep& step : steps)
    rates.worst_error = std::max(
        rates.worst_error, std::fabs(total(device_step(rates, step.rows, 1)) / total(step.seconds) - 1));
  return rates;
}

DeviceStep device_step(const DeviceRates& rates, int rows, double share) {
  DeviceStep step{.input = rates.input.at(rows),
                  .forward = share * rates.forward.at(rows),
                  .backward = share * rates.backward.at(rows),
                  .update = share * rates.update.at(rows),
                  .ready = rates.ready};
  for (ReadyPoint& point : step.ready) point.seconds *= step.backward;
  return step;
}

double core_share(int ranks, int threads, int cores) {
  if (threads <= 0 || cores <= 0) return 1;
  return std::max(1.0, static_cast<double>(ranks) * threads / cores);
}

std::vector<ReadyPoint> ready_by_arithmetic(const NetSpec& spec, const ParameterTable& table) {
  const LayerPlan plan = plan_layers(spec, table, {});
  std::vector<ReadyPoint> points;
  double done = 0;
  for (const BackwardStep& step : plan.backward) {
    const double work = multiplications(plan.operations[step.operation]);
    done += work;  // the gradient of weights, which comes first
    if (step.end > step.begin) points.push_back({.end = step.end, .seconds = done});
    if (step.input_gradient) done += work;
  }
  for (ReadyPoint& point : points) point.seconds /= done;
  return points;
}

MeasuredStep step_of_speed(double images_per_second, int rows) {
  const double seconds = rows / images_per_second;
  MeasuredStep step{.source = "--images-per-second", .rows = rows};
  step.seconds.forward = seconds / 3;
  step.seconds.backward = seconds * 2 / 3;
  return step;
}

}  // namespace convoy
