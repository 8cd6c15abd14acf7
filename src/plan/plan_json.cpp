#include <cmath>
#include <nlohmann/json.hpp>

#include "plan/plan_text.hpp"

namespace convoy {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson number(double value) {
  return std::isfinite(value) ? OrderedJson(value) : OrderedJson(nullptr);
}

OrderedJson link_object(const std::optional<Link>& link) {
  if (!link) return nullptr;
  return {{"latency", number(link->latency)}, {"bandwidth", number(link->bandwidth)}};
}

OrderedJson lines_object(const std::vector<MemoryLine>& lines) {
  OrderedJson object = OrderedJson::object();
  for (const MemoryLine& line : lines) object[line.what] = line.bytes;
  return object;
}

OrderedJson schedule_object(const RunSchedule& schedule) {
  OrderedJson rates = OrderedJson::array();
  for (const RateStretch& stretch : schedule.stretches)
    rates.push_back({{"first_epoch", stretch.first_epoch},
                     {"epochs", stretch.epochs},
                     {"first_rate", stretch.first_rate},
                     {"last_rate", stretch.last_rate}});
  return {{"steps", schedule.length.last_step},       {"steps_per_epoch", schedule.length.steps_per_epoch},
          {"epochs", schedule.length.total_epochs()}, {"rates", std::move(rates)},
          {"evaluations", schedule.evaluations},      {"checkpoints", schedule.checkpoints}};
}

OrderedJson step_object(const RanksPlan& on) {
  if (!on.step) return nullptr;
  const StepPrediction& step = *on.step;
  OrderedJson buckets = OrderedJson::array();
  for (const BucketTimes& bucket : step.buckets)
    buckets.push_back({{"ready", bucket.ready}, {"begin", bucket.begin}, {"end", bucket.end}});
  return {{"seconds", step.seconds()}, {"input", step.input},     {"forward", step.forward},
          {"backward", step.backward}, {"exposed", step.exposed}, {"update", step.update},
          {"sums", step.sums},         {"hidden", step.hidden},   {"buckets", std::move(buckets)}};
}

OrderedJson ranks_object(const RanksPlan& on) {
  OrderedJson object = {
      {"ranks", on.ranks},
      {"nodes", on.nodes},
      {"ranks_per_node", on.ranks_per_node},
      {"images_per_rank", on.rows},
      {"memory", {{"device", lines_object(on.memory.device)}, {"host", lines_object(on.memory.host)}}},
      {"sent_per_step", {{"rank", on.traffic.rank}, {"node", on.traffic.node}}},
      {"step", step_object(on)}};
  if (on.step) {
    object["images_per_second"] = on.images_per_second;
    object["efficiency"] = on.efficiency;
  }
  if (on.job) object["job"] = {{"run_seconds", on.job->run_seconds}, {"jobs", on.job->jobs}};
  object["submit"] = on.submit;
  return object;
}

}  // namespace

std::string plan_to_json(const PlanRequest& request, const RunPlan& plan) {
  OrderedJson buckets = OrderedJson::array();
  for (const PlannedBucket& bucket : plan.buckets)
    buckets.push_back({{"begin", bucket.bucket.begin},
                       {"end", bucket.bucket.end},
                       {"bytes", bucket.bytes},
                       {"layer", bucket.layer}});
  OrderedJson ranks = OrderedJson::array();
  for (const RanksPlan& on : plan.ranks) ranks.push_back(ranks_object(on));
  const OrderedJson json = {
      {"format", "convoy-plan"},
      {"version", 1},
      {"model", request.configuration.model},
      {"parameters", plan.parameters},
      {"precision", word_of(precision_words(), request.configuration.precision)},
      {"device", word_of(device_words(), plan.device)},
      {"global_batch", request.configuration.global_batch},
      {"schedule", schedule_object(plan.ranks.front().schedule)},
      {"checkpoint",
       {{"bytes", plan.disk.checkpoint}, {"kept", plan.disk.kept}, {"most_bytes", plan.disk.most}}},
      {"buckets", std::move(buckets)},
      {"algorithm", word_of(sum_algorithm_words(), plan.algorithm)},
      {"sums_beside_computing", plan.beside},
      {"links", {{"node", link_object(plan.node)}, {"network", link_object(plan.network_link)}}},
      {"ranks", std::move(ranks)},
      {"remarks", plan.remarks}};
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace convoy
