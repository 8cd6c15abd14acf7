#include "stepper.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "comm/collective.hpp"
#include "engine/device_plan.hpp"
#include "model/initialise.hpp"
#include "model/networks.hpp"

namespace convoy::gpu_benchmark {
namespace {

InputSpec input_of(const NetSpec& spec) {
  return {.stored_side = std::max(spec.stored_side, spec.input.height),
          .crop_side = spec.input.height,
          .mean = {124, 117, 104},
          .scale = {1.0F / 58, 1.0F / 57, 1.0F / 57}};
}

std::unique_ptr<TrainingReplica> make(const StepperOptions& options, Communicator& communicator,
                                      const Log& log) {
  const NetSpec spec = make_network(options.model);
  ReplicaOptions wanted;
  wanted.device = DeviceKind::cuda;
  wanted.device_index = options.device_index;
  wanted.deterministic = options.deterministic;
  wanted.leads = communicator.rank() == 0;
  wanted.memory = open_tuning_memory(wanted);  // both kinds of graph use the same algorithms
  wanted.agree = [&communicator](const std::string& mine) { return communicator.broadcast_text(mine); };
  auto replica = make_training_replica(
      spec, input_of(spec), wanted,
      {.optimizer = {.rule = options.optimizer},  // A refused recording costs the graph, not the run.
       .cuda_graph = GraphUse::automatic,
       .log = &log});
  std::vector<float> weights(replica->table().size());
  initialise_parameters(replica->table(), spec.initialiser, 1, weights);
  replica->write_parameters(weights);
  return replica;
}

}  // namespace

Stepper::Stepper(const StepperOptions& options, Communicator& communicator)
    : options_(options),
      ranks_(communicator.size()),
      rank_(communicator.rank()),
      log_(rank_, ranks_),
      replica_(make(options, communicator, log_)) {
  program_ = replica_->compile({.batch = options.batch, .precision = options.precision});
  const std::span<float> gradient = replica_->gradient_memory();
  const std::vector<Bucket> buckets = plan_buckets(gradient.size(), options.bucket_bytes);
  CollectiveOptions transport;
  transport.wire = ranks_ > 1 ? options.wire : WirePrecision::fp32;
  transport.deterministic = options.deterministic;
  transport.compute = replica_->compute_stream();
  transport.device_index = options.device_index;
  transport.gradient = gradient;
  for (const Bucket& bucket : buckets)
    transport.largest_slice = std::max(transport.largest_slice, bucket.end - bucket.begin);
  collective_ = make_collective(communicator, transport);
  collective_->connect();
  reducer_.emplace(*collective_, *replica_, buckets);
  batch_.emplace(options.batch, input_of(replica_->spec()), class_count(replica_->spec()),
                 replica_->transfer_memory());
  rates_.assign(replica_->table().parameters().size(), {.rate = 1e-4F, .decay = 5e-4F});
}

double Stepper::run(int steps, bool graph) {
  const Stopwatch watch;
  for (int i = 0; i < steps; ++i) step(graph);
  while (outstanding_ > 0) take_result();
  return watch.seconds() / steps;
}

void Stepper::step(bool graph) {
  TrainingReplica& replica = *replica_;
  program_->stage(0, batch_->view(std::int64_t{rank_} * options_.batch),
                  {.seed = 1, .step = number_, .gradient_scale = 1.0 / (1.0 * ranks_ * options_.batch)});
  ++number_;
  replica.stage_update({.number = number_, .rates = rates_});
  replayed_ = true;
  replica.run_step(*program_, graph && collective_->capturable(), [&] {
    replayed_ = false;
    replica.enter(Phase::forward);
    program_->forward_staged(0);
    replica.enter(Phase::backward);
    program_->backward(false, [&](std::size_t end) { reducer_->ready(end); });
    replica.enter(Phase::exposed);
    reducer_->finish();
    replica.enter(Phase::update);
    replica.apply_update();
  });
  ++outstanding_;
  while (outstanding_ > replica.steps_ahead()) take_result();
}

void Stepper::take_result() {
  last_ = replica_->take_result();
  --outstanding_;
  ++phase_steps_;
  phases_.forward += last_.seconds.forward;
  phases_.backward += last_.seconds.backward;
  phases_.exposed += last_.seconds.exposed;
  phases_.update += last_.seconds.update;
}

PhaseSeconds Stepper::take_phases() {
  const double count = std::max(phase_steps_, 1);
  const PhaseSeconds mean{phases_.forward / count, phases_.backward / count, phases_.exposed / count,
                          phases_.update / count};
  phases_ = {};
  phase_steps_ = 0;
  return mean;
}

int device_of_rank(Communicator& communicator) {
  return plan_device(DeviceKind::cuda, communicator).index;
}

}  // namespace convoy::gpu_benchmark
