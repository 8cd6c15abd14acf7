#include "engine/cuda/cuda_state.hpp"

#include <utility>

#include "base/error.hpp"
#include "device/cuda/check.hpp"

namespace convoy::cuda {

namespace {

// Before anything of the device is made: members are made in order.
const ReplicaOptions& on_device(const ReplicaOptions& options) {
  use_device(options.device_index);
  return options;
}

std::size_t index_of(Element element) {
  return static_cast<std::size_t>(element);
}

// Cuts one piece of memory into aligned places.
class Cutter {
 public:
  std::size_t place(std::size_t bytes) {
    constexpr std::size_t alignment = 256;
    return std::exchange(end_, end_ + (bytes + alignment - 1) / alignment * alignment);
  }
  std::size_t end() const { return end_; }

 private:
  std::size_t end_ = 0;
};

}  // namespace

CudaState::CudaState(const NetSpec& network, const InputSpec& input_spec,
                     const ReplicaOptions& replica_options)
    : spec(network),
      input(input_spec),
      table(network),
      options(on_device(replica_options)),
      order(network, table),
      tuner(std::make_unique<Tuner>(make_tuner_options(replica_options))),
      compute(make_stream()),
      copy(make_stream()),
      update(make_stream(StreamPriority::background)),
      libraries(compute.get()) {
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, options.device_index),
        "asking for the compute capability");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, options.device_index),
        "asking for the compute capability");
  parameters = DeviceMemory(table.size() * sizeof(float), "the network's parameters");
  Cutter cutter;
  const std::size_t sums_at = cutter.place(sizeof(MetricSums));
  const std::size_t scale_at = cutter.place(sizeof(LossScaleState));
  const std::size_t control_at = cutter.place(sizeof(UpdateControl));
  const std::size_t blocks_at = cutter.place(inspection_blocks(table.size()) * sizeof(double));
  small_ = DeviceMemory(cutter.end(), "sums of a step");
  sums = reinterpret_cast<MetricSums*>(small_.data() + sums_at);
  loss_scale = reinterpret_cast<LossScaleState*>(small_.data() + scale_at);
  control = reinterpret_cast<UpdateControl*>(small_.data() + control_at);
  block_sums = reinterpret_cast<double*>(small_.data() + blocks_at);

  const LossScaleState constant;
  check(cudaMemsetAsync(small_.data(), 0, small_.size(), compute.get()), "emptying the sums");
  check(cudaMemcpyAsync(loss_scale, &constant, sizeof constant, cudaMemcpyHostToDevice, compute.get()),
        "setting the loss scale");
  empty(parameters);
  synchronise();
}

CudaState::CudaState(const NetSpec& network, const InputSpec& input_spec,
                     const ReplicaOptions& replica_options, OptimizerRule optimizer)
    : CudaState(network, input_spec, replica_options) {
  const std::size_t bytes = table.size() * sizeof(float);
  gradients = DeviceMemory(bytes, "gradients");
  if (tuner->measures()) branch = std::make_unique<SideBranch>();
  for (int slot = 0; slot < slot_count(optimizer); ++slot) slots.emplace_back(bytes, "the optimiser's state");
  empty(gradients);
  for (const DeviceMemory& slot : slots) empty(slot);
  synchronise();
}

void CudaState::empty(const DeviceMemory& buffer) const {
  check(cudaMemsetAsync(buffer.data(), 0, buffer.size(), compute.get()), "emptying a flat buffer");
}

CudaState::~CudaState() {
  // Errors were reported where they mattered; here the memory only must be out of use.
  cudaSetDevice(options.device_index);
  cudaStreamSynchronize(copy.get());
  cudaStreamSynchronize(compute.get());
  cudaStreamSynchronize(update.get());
}

std::vector<const DeviceMemory*> CudaState::flat_buffers() const {
  std::vector<const DeviceMemory*> result = {&parameters};
  if (trains()) result.push_back(&gradients);
  for (const DeviceMemory& slot : slots) result.push_back(&slot);
  return result;
}

void CudaState::use_layout(Layout wanted) {
  if (layout == wanted) return;
  std::vector<float> values(table.size());
  for (const DeviceMemory* buffer : flat_buffers()) {
    const Layout before = layout;
    read(*buffer, values);
    layout = wanted;
    write(*buffer, values);
    layout = before;
  }
  layout = wanted;
  for (const Element element : {Element::bfloat16, Element::float16}) refresh_copy(element);
  synchronise();
}

bool CudaState::need_copy(Element element) {
  if (element == Element::float32 || copies[index_of(element)].size() > 0) return false;
  copies[index_of(element)] = DeviceMemory(table.size() * bytes_of(element), "16-bit parameters");
  refresh_copy(element);
  synchronise();
  return true;
}

void CudaState::refresh_copy(Element element) {
  const DeviceMemory& target = copies[index_of(element)];
  if (target.size() == 0) return;
  to_narrow(compute.get(), parameters.as<float>(), target.data(), element, table.size());
}

ProgramResources CudaState::resources(Precision precision) const {
  ProgramResources result;
  result.spec = &spec;
  result.input = &input;
  result.table = &table;
  result.libraries = &libraries;
  result.device = options.device_index;
  result.compute = compute.get();
  result.copy = copy.get();
  result.parameters = parameters.as<float>();
  result.gradients = gradients.as<float>();
  result.narrow = copies[index_of(element_of(precision))].data();
  result.loss_scale = loss_scale;
  result.sums = sums;
  result.deterministic = options.deterministic;
  result.tuner = tuner.get();
  result.branch = branch.get();
  result.parameters_free = parameters_free;
  return result;
}

ReplicaMemory CudaState::memory_use() const {
  ReplicaMemory memory{
      .parameters = parameters.size(), .gradients = gradients.size(), .small = small_.size()};
  for (const DeviceMemory& slot : slots) memory.slots += slot.size();
  for (const DeviceMemory& weights : copies) memory.copies += weights.size();
  return memory;
}

void CudaState::use_device() const {
  cuda::use_device(options.device_index);
}

void CudaState::synchronise() const {
  check(cudaStreamSynchronize(copy.get()), "waiting for the copies");
  check(cudaStreamSynchronize(compute.get()), "waiting for the device");
  // Has work of its own only where a step was broken off.
  check(cudaStreamSynchronize(update.get()), "waiting for updates");
  if (branch != nullptr) check(cudaStreamSynchronize(branch->stream()), "waiting for gradients");
}

void CudaState::write(const DeviceMemory& target, std::span<const float> values) {
  ensure(values.size() == table.size(), "a whole flat buffer is written");
  std::vector<float> reordered;
  if (layout != Layout::channels_first) {
    reordered.resize(values.size());
    order.to_engine(layout, values, reordered);
    values = reordered;
  }
  check(cudaMemcpyAsync(target.data(), values.data(), values.size_bytes(), cudaMemcpyHostToDevice,
                        compute.get()),
        "copying a flat buffer to the device");
  if (&target == &parameters) {
    for (const Element element : {Element::bfloat16, Element::float16}) refresh_copy(element);
  }
  synchronise();
}

void CudaState::read(const DeviceMemory& source, std::span<float> values) const {
  ensure(values.size() == table.size(), "a whole flat buffer is read");
  const bool reorder = layout != Layout::channels_first;
  std::vector<float> as_kept(reorder ? values.size() : 0);
  const std::span<float> target = reorder ? std::span<float>(as_kept) : values;
  check(cudaMemcpyAsync(target.data(), source.data(), target.size_bytes(), cudaMemcpyDeviceToHost,
                        compute.get()),
        "copying a flat buffer from the device");
  synchronise();
  if (reorder) order.to_canonical(layout, as_kept, values);
}

}  // namespace convoy::cuda
