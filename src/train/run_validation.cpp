#include "train/run_validation.hpp"

#include <algorithm>
#include <optional>

#include "train/schedule.hpp"

namespace convoy {

void RunValidation::prepare() {
  if (evaluator_) return;
  const ResolvedRun& run = parts_.run;
  const std::int64_t share = (run.store.val->images + run.plan.ranks - 1) / run.plan.ranks;
  const int rows = static_cast<int>(std::min<std::int64_t>(run.plan.rows_at_most(), share));
  evaluator_ = std::make_unique<Evaluator>(run.store, parts_.replica,
                                           EvaluatorOptions{.split = "val",
                                                            .input = run.input,
                                                            .precision = run.configuration.precision,
                                                            .rows = std::max(rows, 1),
                                                            .workers = run.configuration.workers,
                                                            .copies = parts_.copies});
  parts_.report.tuning(parts_.replica.tuning_decisions());
}

bool RunValidation::run(TrainingState& state, TimelineRow* row) {
  const TimelineScope scope(row, "validation", {{"step", state.step}});
  parts_.report.moment(Moment::validation_begins, state.step);
  prepare();
  std::vector<SamplePrediction> predictions;
  std::optional<ProgressMeter> meter(std::in_place, parts_.log, "validation", parts_.run.store.val->images,
                                     ProgressMeter::Elsewhere::nothing);
  const std::optional<EvaluationResult> result =
      evaluator_->run(parts_.communicator, {.watchdog = &parts_.watchdog,
                                            .step = state.step,
                                            .stop_requested = &parts_.stop_requested,
                                            .meter = &*meter,
                                            .predictions = &predictions});
  meter.reset();
  if (!result) return false;
  parts_.report.validation(state.step, *result);
  if (parts_.run.configuration.tensorboard) parts_.report.weights(state.step, parts_.replica, std::nullopt);
  top1_ = result->top1;
  state.evaluated_step = state.step;
  const bool best = is_better(top1_, state.best_top1);
  if (best) state.best_top1 = top1_;
  parts_.report.predictions({.step = state.step, .best = best, .samples = predictions});
  return true;
}

bool RunValidation::take_best(TrainingState& state) const {
  if (state.evaluated_step != state.step || !is_better(top1_, state.best_checkpoint_top1)) return false;
  state.best_checkpoint_top1 = top1_;
  return true;
}

}  // namespace convoy
