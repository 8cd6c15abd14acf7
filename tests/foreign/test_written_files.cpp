// What `convoy export` writes: the formats' bytes, checked without our readers, and the way back through
// them.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <limits>

#include "base/atomic_file.hpp"
#include "foreign/file_bytes.hpp"
#include "foreign/foreign_file.hpp"
#include "foreign/safetensors.hpp"
#include "foreign/tensor_names.hpp"
#include "foreign/torch_file.hpp"
#include "model/networks.hpp"
#include "model/parameter_table.hpp"
#include "support/expect_error.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

using namespace test;

std::vector<NamedTensor> some_tensors() {
  const float tiny = std::numeric_limits<float>::denorm_min();
  return {{"conv1.weight", {2, 1, 1, 2}, {1, -0.0F, tiny, 3e38F}},
          {"conv1.bias", {3}, {1, 2, 3}},
          {"empty", {0, 2}, {}}};
}

void expect_the_same(const std::vector<NamedTensor>& read, const std::vector<NamedTensor>& written) {
  ASSERT_EQ(read.size(), written.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].name, written[i].name);
    EXPECT_EQ(read[i].shape, written[i].shape);
    EXPECT_EQ(bytes_of_numbers(read[i].values), bytes_of_numbers(written[i].values)) << "bits";
  }
}

TEST(WrittenFiles, ComeBackBitForBit) {
  const TemporaryFolder folder;
  write_torch_zip(folder / "w.pth", some_tensors());
  write_safetensors(folder / "w.safetensors", some_tensors());
  EXPECT_EQ(foreign_format(folder / "w.pth"), ForeignFormat::pytorch);
  expect_the_same(read_foreign(folder / "w.pth"), some_tensors());
  expect_the_same(read_foreign(folder / "w.safetensors"), some_tensors());
}

// An entry of a zip as its own header describes it.
struct OwnHeader {
  std::string name, content;
  std::size_t begin = 0;  // of the content
  std::size_t end = 0;
};

OwnHeader header_at(const std::string& file, std::size_t at) {
  const auto number = [&](std::size_t offset, std::size_t size) {
    std::uint64_t value = 0;
    std::memcpy(&value, file.data() + at + offset, size);
    return value;
  };
  OwnHeader header;
  EXPECT_EQ(file.substr(at, 4), "PK\3\4");
  EXPECT_EQ(number(8, 2), 0U) << "stored";
  EXPECT_EQ(number(18, 4), number(22, 4)) << "sizes";
  header.name = file.substr(at + 30, number(26, 2));
  header.begin = at + 30 + number(26, 2) + number(28, 2);
  header.end = header.begin + number(18, 4);
  header.content = file.substr(header.begin, number(18, 4));
  EXPECT_EQ(number(14, 4),
            crc32_z(0, reinterpret_cast<const Bytef*>(header.content.data()), header.content.size()));
  return header;
}

TEST(WrittenFiles, TheZipIsAsPyTorchWritesIt) {
  const TemporaryFolder folder;
  write_torch_zip(folder / "w.pth", some_tensors());
  const std::string file = read_text_file(folder / "w.pth");
  const std::string names[] = {"archive/data.pkl", "archive/byteorder", "archive/data/0",
                               "archive/data/1",   "archive/data/2",    "archive/version"};
  std::vector<OwnHeader> headers;
  std::size_t at = 0;
  for (const std::string& name : names) {
    headers.push_back(header_at(file, at));
    EXPECT_EQ(headers.back().name, name);
    EXPECT_EQ(headers.back().begin % 64, 0U) << name;
    at = headers.back().end;
  }
  EXPECT_EQ(file.substr(at, 4), "PK\1\2");
  EXPECT_EQ(headers[1].content, "little");
  EXPECT_EQ(headers[2].content, bytes_of_numbers(some_tensors()[0].values));
  EXPECT_EQ(headers[5].content, "3\n");
  // The pickle of the first tensor, in the words of the format.
  const auto number = [](std::uint64_t value) { return "J" + little_endian(value, 4); };
  const std::string empty_dict = "ccollections\nOrderedDict\n)R";
  const std::string first =
      "X" + little_endian(12, 4) + "conv1.weightctorch._utils\n_rebuild_tensor_v2\n((X" +
      little_endian(7, 4) + "storagectorch\nFloatStorage\nX" + little_endian(1, 4) + "0X" +
      little_endian(3, 4) + "cpu" + number(4) + "tQ" + number(0) + "(" + number(2) + number(1) + number(1) +
      number(2) + "t(" + number(2) + number(2) + number(2) + number(1) + "t\x89" + empty_dict + "tR";
  EXPECT_TRUE(headers[0].content.starts_with("\x80\x02" + empty_dict + "(" + first + "X"))
      << headers[0].content;
  EXPECT_TRUE(headers[0].content.ends_with("u."));
}

TEST(WrittenFiles, TheHeaderOfSafetensors) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", some_tensors(), {{"model", "alexnet"}});
  const std::string file = read_text_file(folder / "w");
  std::string header = R"({"__metadata__":{"format":"pt","model":"alexnet"},)"
                       R"("conv1.weight":{"dtype":"F32","shape":[2,1,1,2],"data_offsets":[0,16]},)"
                       R"("conv1.bias":{"dtype":"F32","shape":[3],"data_offsets":[16,28]},)"
                       R"("empty":{"dtype":"F32","shape":[0,2],"data_offsets":[28,28]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(file, little_endian(header.size(), 8) + header + bytes_of_numbers(some_tensors()[0].values) +
                      bytes_of_numbers(some_tensors()[1].values));
}

TEST(WrittenFiles, TheSameWeightsAreTheSameBytes) {
  const TemporaryFolder folder;
  write_torch_zip(folder / "a", some_tensors());
  write_torch_zip(folder / "b", some_tensors());
  EXPECT_EQ(read_text_file(folder / "a"), read_text_file(folder / "b"));
}

TEST(WrittenFiles, OnAFullDiskTheOldFileRemains) {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> large{{"w", {100'000}, std::vector<float>(100'000)}};
  for (const auto& [name, write] :
       {std::pair<std::string, std::function<void(const std::filesystem::path&)>>{
            "w.pth", [&](const auto& path) { write_torch_zip(path, large); }},
        {"w.safetensors", [&](const auto& path) { write_safetensors(path, large); }}}) {
    write_bytes(folder / name, "before");
    {
      const FileSizeLimit full(100'000);
      expect_error(ExitCode::io, {name, "write"},
                   [&, &name = name, &write = write] { write(folder / name); });
    }
    EXPECT_EQ(read_text_file(folder / name), "before");
    EXPECT_FALSE(std::filesystem::exists((folder / name).string() + ".partial"));
  }
  expect_error(ExitCode::io, {"nowhere"}, [&] { write_torch_zip(folder / "nowhere/w.pth", large); });
}

TEST(TensorNames, EveryParameterOfEveryNetworkHasOne) {
  for (const std::string& network : network_names()) {
    const ParameterTable table(make_network(network));
    for (const TensorNames kind : {TensorNames::torchvision, TensorNames::caffe}) {
      const std::vector<TensorName> names = tensor_names(kind);
      EXPECT_EQ(names.size(), table.parameters().size()) << network;
      for (const Parameter& parameter : table.parameters())
        EXPECT_EQ(std::ranges::count(names, parameter.path(), &TensorName::parameter), 1) << parameter.path();
    }
  }
  EXPECT_EQ(usual_names("alexnet-owt"), TensorNames::torchvision);
  EXPECT_EQ(usual_names("alexnet"), TensorNames::caffe);
  EXPECT_EQ(tensor_names(TensorNames::torchvision).front().foreign, "features.0.weight");
  EXPECT_EQ(tensor_names(TensorNames::torchvision).back().foreign, "classifier.6.bias");
  EXPECT_EQ(tensor_names(TensorNames::caffe).front().foreign, "conv1.weight");
}

}  // namespace
}  // namespace convoy
