// A checkpoint from a stranger: its header, all its tensors, and single ones as fine-tuning takes them. The
// checksum of its structure is appended, so that HDF5 gets to see whatever is in it.

#include "base/atomic_file.hpp"
#include "checkpoint/checkpoint_samples.hpp"
#include "data/metadata_checksum.hpp"
#include "fuzz/fuzz_target.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::fuzz {

namespace {

NetSpec tiny_network() {
  NetSpec spec;
  spec.name = "small";
  spec.input = {3, 4, 4};
  spec.stored_side = 10;
  spec.layers = {Convolution{"conv1", 2, 3, 1, {}, 1}, Relu{}, FullyConnected{"fc2", 2}};
  return spec;
}

Seed seed_of(const std::string& name, bool mean_image, bool with_slots) {
  const test::TemporaryFolder folder;
  const ParameterTable table(tiny_network());
  Checkpoint checkpoint = test::sample_checkpoint(table, 7, mean_image);
  checkpoint.header.classes.resize(2);
  if (!with_slots) {
    checkpoint.header.optimizer.clear();
    checkpoint.header.slots.clear();
    checkpoint.optimizer.clear();
  }
  write_checkpoint(folder / "seed.h5", table, checkpoint);
  return {name, read_text_file(folder / "seed.h5")};
}

}  // namespace

std::vector<Seed> seeds() {
  return {seed_of("whole", false, true), seed_of("mean-image", true, true), seed_of("weights", false, false)};
}

void read_input(std::string_view bytes) {
  const std::filesystem::path path = write_part("input.h5", bytes);
  append_metadata_checksum(path, {});
  const ParameterTable table(tiny_network());
  const CheckpointFile file(path);
  attempt([&] { file.read(table, "small"); });
  attempt([&] { file.read_parameters(table); });
  attempt([&] { file.read_tensor("/parameters/conv1/weight"); });
  attempt([&] { file.read_tensor("/input/mean"); });
}

}  // namespace convoy::fuzz
