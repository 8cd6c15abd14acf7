// Steps on several GPUs, with gradients that are summed over ranks: parameters that are updated as soon as
// their sums have arrived, while backward goes on, get the bits of an update behind everything else.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "comm/collective.hpp"
#include "engine/engine.hpp"
#include "model/networks.hpp"
#include "reference/narrow.hpp"
#include "reference/random_batch.hpp"
#include "support/mpi_test.hpp"
#include "system/tiny_run.hpp"
#include "train/gradient_reducer.hpp"

namespace convoy::test {
namespace {

struct Settings {
  CollectiveKind collective = CollectiveKind::automatic;
  WirePrecision wire = WirePrecision::fp32;
  Precision precision = Precision::bf16;
  GraphUse graph = GraphUse::automatic;
  std::size_t early_elements = 1;
};

struct Outcome {
  std::vector<double> norms, losses;
  std::vector<float> parameters, slot;
};

class OverlappedUpdate : public testing::Test {
 protected:
  static constexpr int batch = 2, classes = 10;
  static constexpr int steps = 3;  // the first runs directly, the others may be recorded

  void SetUp() override {
    if (const std::string reason = why_no_gpus(world()); !reason.empty()) GTEST_SKIP() << reason;
  }

  // Every rank has images of its own. Buckets end wherever a tensor may, so that each operation's parameters
  // can be updated once it has run.
  Outcome train(const Settings& settings) const {
    std::unique_ptr<Collective> collective;  // outlives the graphs that recorded its calls
    ReplicaOptions options;
    options.device = DeviceKind::cuda;
    options.device_index = world().local_rank();
    options.agree = [](const std::string& mine) { return world().on_rank_zero([&] { return mine; }); };
    const std::unique_ptr<TrainingReplica> replica = make_training_replica(
        spec_, input_, options,
        {.optimizer = {}, .cuda_graph = settings.graph, .early_elements = settings.early_elements});
    replica->write_parameters(random_parameters(replica->table(), 5));
    CollectiveOptions transport;
    transport.kind = settings.collective;
    transport.wire = settings.wire;
    transport.deterministic = true;
    transport.compute = replica->compute_stream();
    transport.device_index = options.device_index;
    transport.gradient = replica->gradient_memory();
    const std::vector<Bucket> buckets =
        plan_buckets(replica->table().size(), parameter_alignment * sizeof(float));
    for (const Bucket& bucket : buckets)
      transport.largest_slice = std::max(transport.largest_slice, bucket.end - bucket.begin);
    collective = make_collective(world(), transport);
    collective->connect();
    GradientReducer reducer(*collective, *replica, buckets);
    std::unique_ptr<Program> program =
        replica->compile({.batch = batch, .mode = Mode::training, .precision = settings.precision});

    const std::vector<TensorRate> rates(replica->table().parameters().size(), {0.01F, 5e-4F});
    Outcome outcome;
    for (int step = 0; step < steps; ++step) {
      const TestBatch images = random_batch(input_, classes, batch, TransformKind::crop_and_mirror,
                                            static_cast<std::uint64_t>(100 * step + world().rank()));
      program->stage(0, images.view(),
                     {.seed = 7, .step = step, .gradient_scale = 1.0 / (batch * world().size())});
      replica->stage_update({.number = step + 1, .inverse_loss_scale = 1, .rates = rates});
      replica->run_step(*program, collective->capturable(), [&] {
        reducer.begin();
        program->forward_staged(0);
        program->backward(false, [&](std::size_t end) { reducer.ready(end); });
        reducer.finish();
        replica->apply_update();
      });
      const StepResult result = replica->take_result();
      EXPECT_TRUE(result.update.finite);
      outcome.norms.push_back(result.update.gradient_norm);
      outcome.losses.push_back(result.metrics.loss);
    }
    outcome.parameters.resize(replica->table().size());
    outcome.slot.resize(replica->table().size());
    replica->read_parameters(outcome.parameters);
    replica->read_slot(0, outcome.slot);
    program.reset();
    world().barrier();  // no rank frees what another's sum still uses
    return outcome;
  }

  void expect_same_bits(Settings settings) const {
    settings.early_elements = TrainingOptions::updates_at_once;
    const Outcome behind = train(settings);
    for (const std::size_t early_elements : {std::size_t{1}, std::size_t{10'000}}) {
      settings.early_elements = early_elements;
      const Outcome early = train(settings);
      EXPECT_EQ(early.norms, behind.norms);
      EXPECT_EQ(early.losses, behind.losses);
      EXPECT_EQ(early.parameters, behind.parameters);
      EXPECT_EQ(early.slot, behind.slot);
    }
    EXPECT_GT(behind.norms.front(), 0);
    EXPECT_NE(behind.parameters, random_parameters(ParameterTable(spec_), 5));
  }

  NetSpec spec_ = narrow(make_network("alexnet-mini"), 8, classes);
  InputSpec input_ = test_input(spec_, 72);
};

TEST_F(OverlappedUpdate, GivesTheBitsOfTheSequentialOne) {
  expect_same_bits({.precision = Precision::bf16});
  expect_same_bits({.precision = Precision::fp32, .graph = GraphUse::off});
}

TEST_F(OverlappedUpdate, WithSumsIn16Bits) {
  if (world().size() == 1) GTEST_SKIP() << "one rank sends nothing";
  expect_same_bits({.wire = WirePrecision::bf16});
}

TEST_F(OverlappedUpdate, WithSumsThroughTheHost) {
  expect_same_bits({.collective = CollectiveKind::mpi});
}

}  // namespace
}  // namespace convoy::test
