// The words that options take, beside what they mean: read by cli/, written into checkpoints, run.json and
// messages by configuration_text.cpp.
#pragma once

#include <optional>

#include "base/words.hpp"
#include "comm/collective.hpp"
#include "engine/engine.hpp"
#include "model/initialise.hpp"
#include "train/schedule.hpp"

namespace convoy {

inline Words<DeviceKind> device_words() {
  return {{"auto", DeviceKind::automatic}, {"cpu", DeviceKind::cpu}, {"cuda", DeviceKind::cuda}};
}

inline Words<Precision> precision_words() {
  return {{"fp32", Precision::fp32},
          {"tf32", Precision::tf32},
          {"bf16", Precision::bf16},
          {"fp16", Precision::fp16}};
}

inline Words<OptimizerRule> optimizer_words() {
  return {
      {"sgd", OptimizerRule::sgd}, {"sgd-caffe", OptimizerRule::sgd_caffe}, {"adam", OptimizerRule::adam}};
}

inline Words<ScheduleKind> schedule_words() {
  return {{"constant", ScheduleKind::constant},
          {"step", ScheduleKind::step},
          {"plateau", ScheduleKind::plateau},
          {"polynomial", ScheduleKind::polynomial},
          {"cosine", ScheduleKind::cosine}};
}

inline Words<Initialiser> initialiser_words() {
  return {{"paper", Initialiser::paper},
          {"caffe", Initialiser::caffe},
          {"torch", Initialiser::torch},
          {"keras", Initialiser::keras}};
}

inline Words<CollectiveKind> collective_words() {
  return {{"auto", CollectiveKind::automatic}, {"nccl", CollectiveKind::nccl}, {"mpi", CollectiveKind::mpi}};
}

inline Words<WirePrecision> wire_words() {
  return {{"fp32", WirePrecision::fp32}, {"bf16", WirePrecision::bf16}, {"fp16", WirePrecision::fp16}};
}

inline Words<GraphUse> graph_words() {
  return {{"auto", GraphUse::automatic}, {"on", GraphUse::on}, {"off", GraphUse::off}};
}

inline Words<std::optional<bool>> deterministic_words() {
  return {{"auto", std::nullopt}, {"on", true}, {"off", false}};
}

inline Words<bool> rate_scaling_words() {
  return {{"none", false}, {"linear", true}};
}

inline Words<bool> shuffle_words() {
  return {{"global", false}, {"node", true}};
}

}  // namespace convoy
