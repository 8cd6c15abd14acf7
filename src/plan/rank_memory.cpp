#include "plan/rank_memory.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "comm/slice_pieces.hpp"
#include "data/loader.hpp"
#include "engine/optimizer_table.hpp"
#include "train/gradient_reducer.hpp"

namespace convoy {
namespace {

constexpr int gpu_steps_ahead = 2;  // TrainingReplica::steps_ahead of a GPU

InputSpec input_of(const TrainConfiguration& c, const NetSpec& network, const DataSizes& data) {
  InputSpec input{.stored_side = std::max(data.image_size, network.input.height),
                  .crop_side = network.input.height,
                  .mean = {0, 0, 0}};
  const auto side = static_cast<std::size_t>(input.stored_side);
  if (c.input_mean == InputMean::image) input.mean.assign(3 * side * side, 0.0F);
  return input;
}

void add(std::vector<MemoryLine>& lines, std::string what, double bytes) {
  if (bytes > 0) lines.push_back({std::move(what), bytes});
}

void add(std::vector<MemoryLine>& lines, const ReplicaMemory& memory, const char* copies) {
  add(lines, "parameters", static_cast<double>(memory.parameters));
  add(lines, "gradients", static_cast<double>(memory.gradients));
  add(lines, "optimiser's state", static_cast<double>(memory.slots));
  add(lines, copies, static_cast<double>(memory.copies));
  add(lines, "gradients of a micro-batch", static_cast<double>(memory.accumulation));
}

void plan_cpu(const TrainConfiguration& c, const NetSpec& network, const InputSpec& input,
              const ProgramOptions& options, RankMemory& memory) {
  const auto compiled = [&](Precision precision) {
    const auto replica = make_training_replica(
        network, input,
        {.device = DeviceKind::cpu, .threads = std::max(1, c.threads), .backing = Backing::addresses},
        {.optimizer = c.optimizer});
    ProgramOptions mine = options;
    mine.precision = precision;
    const auto program = replica->compile(mine);
    ReplicaMemory of_replica = replica->memory_use();
    if (options.micro_batches > 1) of_replica.accumulation = of_replica.gradients;
    add(memory.device, of_replica, "parameters in the library's layouts");
    add(memory.device, "activations, their gradients, scratch",
        static_cast<double>(program->memory_use().activations));
  };
  const std::string refusal = precision_refusal(DeviceKind::cpu, options.precision);
  compiled(refusal.empty() ? options.precision : Precision::fp32);
  if (!refusal.empty())
    memory.remarks.push_back(fmt::format("this machine's CPU does not compute in {}: memory is that of fp32",
                                         word_of(precision_words(), options.precision)));
}

void plan_gpu(const TrainConfiguration& c, const NetSpec& network, const InputSpec& input,
              const ProgramOptions& options, RankMemory& memory) {
  const std::size_t elements = ParameterTable(network).size();
  const bool narrow = options.precision == Precision::bf16 || options.precision == Precision::fp16;
  const std::size_t bytes = elements * sizeof(float);
  add(memory.device,
      ReplicaMemory{.parameters = bytes,
                    .gradients = bytes,
                    .slots = bytes * static_cast<std::size_t>(slot_count(c.optimizer.rule)),
                    .copies = narrow ? elements * 2 : 0},
      "parameters in 16 bits");
  const ProgramMemory program = plan_gpu_program(network, input, options);
  add(memory.device, "activations, their gradients", static_cast<double>(program.activations));
  add(memory.device, "input staging", static_cast<double>(program.staging));
  memory.remarks.emplace_back(
      "not known without the device: workspaces of cuDNN and cuBLASLt (mostly below 100 MB, for grouped "
      "convolutions more), recorded graphs, the context of CUDA (about 500 MB)");
}

// What sums need beside the gradient.
void add_sums(const TrainConfiguration& c, std::size_t elements, int ranks, bool on_gpu, RankMemory& memory) {
  if (ranks == 1) return;
  const bool by_mpi = !on_gpu || c.collective == CollectiveKind::mpi;
  if (by_mpi) {
    const double part = static_cast<double>(slice_piece_elements(ranks)) / ranks * sizeof(float);
    add(memory.host, "pieces of gradients from other ranks",
        static_cast<double>(slice_pieces_in_flight) * (ranks - 1) * part);
    if (on_gpu)
      add(memory.host, "gradients on their way through the host", static_cast<double>(elements) * 4);
    return;
  }
  std::size_t largest = 0;
  for (const Bucket& bucket : plan_buckets(elements, bucket_bytes))
    largest = std::max(largest, bucket.end - bucket.begin);
  if (c.wire != WirePrecision::fp32)
    add(memory.device, "a bucket in 16 bits", static_cast<double>(2 * largest));
  memory.remarks.emplace_back("not known without the device: NCCL's own buffers (mostly 200 to 1,000 MB)");
}

double total(const std::vector<MemoryLine>& lines) {
  double sum = 0;
  for (const MemoryLine& line : lines) sum += line.bytes;
  return sum;
}

}  // namespace

double RankMemory::device_bytes() const {
  return total(device);
}

double RankMemory::host_bytes() const {
  return total(host);
}

RankMemory plan_rank_memory(const TrainConfiguration& configuration, const NetSpec& network,
                            const DataSizes& data, DeviceKind device, const RunSchedule& schedule) {
  const TrainConfiguration& c = configuration;
  const bool on_gpu = device == DeviceKind::cuda;
  const int rows = schedule.batches.rows_at_most();
  const InputSpec input = input_of(c, network, data);
  const ProgramOptions options{
      .batch = rows, .mode = Mode::training, .precision = c.precision, .micro_batches = c.accumulate};
  RankMemory memory;
  (on_gpu ? plan_gpu : plan_cpu)(c, network, input, options, memory);
  const double side = input.stored_side;
  const int batches = LoaderOptions().buffers + c.accumulate * (1 + (on_gpu ? gpu_steps_ahead : 0)) - 1;
  add(memory.host, "images read ahead",
      batches * rows * (3 * side * side + sizeof(std::int32_t) + sizeof(SampleTransform)));
  const ParameterTable table(network);
  add_sums(c, table.size(), schedule.batches.ranks, on_gpu, memory);
  add(memory.host, "a checkpoint that is being written (rank 0)",
      static_cast<double>(table.size()) * sizeof(float) * (1 + slot_count(c.optimizer.rule)));
  return memory;
}

}  // namespace convoy
