// Weights of another program from a stranger: PyTorch's zip, its file from before 1.6 and its tar,
// safetensors, Caffe's network and mean image. The sums of a tar's headers are corrected.

#include "base/atomic_file.hpp"
#include "foreign/caffe_files.hpp"
#include "foreign/caffe_model.hpp"
#include "foreign/file_bytes.hpp"
#include "foreign/foreign_file.hpp"
#include "foreign/foreign_model.hpp"
#include "foreign/safetensors.hpp"
#include "foreign/torch_file.hpp"
#include "fuzz/fuzz_target.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::fuzz {

namespace {

namespace pickle = test::pickle;
using test::little_endian;

const std::vector<NamedTensor>& tensors() {
  static const std::vector<NamedTensor> all{{"features.0.weight", {2, 1, 1, 2}, {1, 2, 3, 4}},
                                            {"features.0.bias", {2}, {5, 6}}};
  return all;
}

// Files of the program's own writers.
void add_written(std::vector<Seed>& all) {
  const test::TemporaryFolder folder;
  write_torch_zip(folder / "w.pth", tensors());
  all.push_back({"zip-written", read_text_file(folder / "w.pth")});
  write_safetensors(folder / "w.safetensors", tensors(), {});
  all.push_back({"safetensors", read_text_file(folder / "w.safetensors")});
}

void add_torch(std::vector<Seed>& all) {
  const std::string numbers(24, '\1');
  const std::string state =
      pickle::ordered_dict({{"module.w", pickle::tensor(pickle::storage("0", 6), 0, {2, 3}, {3, 1})},
                            {"b", pickle::tensor(pickle::storage("1", 6, "HalfStorage"), 2, {2}, {1})}});
  const std::string whole = pickle::dict({{"state_dict", state}, {"epoch", pickle::integer(3)}});
  all.push_back({"zip", test::torch_zip(whole, {{"0", numbers}, {"1", numbers.substr(12)}})});
  all.push_back({"old", test::old_torch_file(state, {{"0", 6, numbers}, {"1", 6, numbers.substr(12)}})});
  const std::string one = pickle::whole(pickle::integer(1));
  const std::string tensor_record = pickle::whole(
      pickle::tuple({pickle::integer(1), pickle::integer(2), pickle::global("torch", "FloatTensor")}));
  const std::string storage_record = pickle::whole(
      pickle::tuple({pickle::integer(2), pickle::text("cpu"), pickle::global("torch", "FloatStorage")}));
  all.push_back(
      {"tar", test::tar({{"pickle", pickle::whole(pickle::dict({{"w", pickle::text("1") + "Q"}}))},
                         {"tensors", one + tensor_record + little_endian(1, 8) + little_endian(1, 8) +
                                         little_endian(1, 8) + little_endian(0, 8)},
                         {"storages", one + storage_record + little_endian(1, 8) + "1234"}})});
}

void add_caffe(std::vector<Seed>& all) {
  const NamedTensor weight{"", {2, 1, 1, 2}, {1, 2, 3, 4}}, bias{"", {2}, {5, 6}};
  all.push_back({"caffe", test::network_field("small") +
                              test::layer_field(test::weighted_layer("conv1", "Convolution", weight, bias))});
  all.push_back(
      {"mean", test::blob_of({"", {1, 3, 2, 2}, std::vector<float>(12, 110.0F)}, true).SerializeAsString()});
}

}  // namespace

std::vector<Seed> seeds() {
  std::vector<Seed> all;
  add_written(all);
  add_torch(all);
  add_caffe(all);
  return all;
}

void read_input(std::string_view bytes) {
  const std::filesystem::path path = file_of(with_tar_sums(bytes));
  attempt([&] { read_foreign(path); });
  attempt([&] { read_foreign_model(path); });
  attempt([&] { read_caffemodel(path); });
  attempt([&] { read_mean_binaryproto(path); });
}

}  // namespace convoy::fuzz
