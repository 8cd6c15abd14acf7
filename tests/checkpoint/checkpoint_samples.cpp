#include "checkpoint/checkpoint_samples.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

namespace convoy::test {

namespace {

std::vector<float> buffer_of(const ParameterTable& table, float first) {
  std::vector<float> buffer(table.size());
  for (const Parameter& parameter : table.parameters())
    for (std::size_t i = 0; i < parameter.elements; ++i)
      buffer[parameter.offset + i] =
          first + 0.001F * static_cast<float>(i) + static_cast<float>(parameter.ordinal);
  return buffer;
}

bool same_real(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

}  // namespace

NetSpec small_network(int outputs) {
  NetSpec spec;
  spec.name = "small";
  spec.input = {3, 8, 8};
  spec.stored_side = 10;
  spec.layers = {Convolution{"conv1", 4, 3, 1, {}, 1}, Relu{}, Convolution{"conv2", 6, 3, 1, {}, 2}, Relu{},
                 FullyConnected{"fc3", outputs}};
  return spec;
}

Checkpoint sample_checkpoint(const ParameterTable& table, std::int64_t step, bool mean_image) {
  Checkpoint checkpoint;
  CheckpointHeader& header = checkpoint.header;
  header.model = "small";
  header.epoch = step / 10;
  header.epoch_samples = step % 10 * 32;
  header.step = step;
  header.configuration = "lr = 0.01\nmomentum = 0.9\n";
  header.store_fingerprint = "0123456789abcdef0123456789abcdef";
  header.schedule_state = R"({"drops":1,"best":0.25})";
  header.loss_scale = 1024;
  header.best_top1 = step == 0 ? std::nan("") : 0.1 + 1.0 / static_cast<double>(step);
  header.input.stored_side = 10;
  header.input.crop_side = 8;
  header.input.mean.assign(mean_image ? 300 : 3, 0);
  for (std::size_t i = 0; i < header.input.mean.size(); ++i)
    header.input.mean[i] = 100.0F + static_cast<float>(i);
  header.input.scale[0] = 1 / 58.0F, header.input.scale[1] = 1 / 57.0F, header.input.scale[2] = 1 / 56.0F;
  header.fit = Fit::warp;
  for (int i = 0; i < 5; ++i)
    header.classes.push_back({"n0000" + std::to_string(i), "Klasse №" + std::to_string(i)});
  header.optimizer = "adam";
  header.slots = {"first_moment", "second_moment"};
  const auto first = static_cast<float>(step);
  checkpoint.parameters = buffer_of(table, first);
  checkpoint.optimizer = {buffer_of(table, first + 0.25F), buffer_of(table, first + 0.5F)};
  return checkpoint;
}

bool same_content(const Checkpoint& a, const Checkpoint& b) {
  const CheckpointHeader &x = a.header, &y = b.header;
  return x.model == y.model && x.epoch == y.epoch && x.epoch_samples == y.epoch_samples && x.step == y.step &&
         x.configuration == y.configuration && x.store_fingerprint == y.store_fingerprint &&
         x.schedule_state == y.schedule_state && same_real(x.loss_scale, y.loss_scale) &&
         same_real(x.best_top1, y.best_top1) && x.input.stored_side == y.input.stored_side &&
         x.input.crop_side == y.input.crop_side && x.fit == y.fit && x.input.mean == y.input.mean &&
         std::equal(x.input.scale, x.input.scale + 3, y.input.scale) && x.classes == y.classes &&
         x.optimizer == y.optimizer && x.slots == y.slots && a.parameters == b.parameters &&
         a.optimizer == b.optimizer;
}

std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace convoy::test
