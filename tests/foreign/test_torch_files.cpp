// Files of PyTorch as PyTorch writes them, built byte by byte.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "foreign/file_bytes.hpp"
#include "foreign/foreign_file.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

using namespace test;
using Floats = std::vector<float>;
using Shape = std::vector<std::int64_t>;

class TorchFile : public ::testing::Test {
 protected:
  // The tensors of `bytes` as a file.
  std::vector<NamedTensor> read(const std::string& bytes) {
    write_bytes(folder_ / "weights", bytes);
    return read_foreign(folder_ / "weights");
  }
  std::optional<ForeignFormat> format(const std::string& bytes) {
    write_bytes(folder_ / "weights", bytes);
    return foreign_format(folder_ / "weights");
  }

 private:
  TemporaryFolder folder_;
};

Floats counted(std::size_t count, float first = 0) {
  Floats values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

void expect_tensor(const NamedTensor& tensor, const std::string& name, const Shape& shape,
                   const Floats& values, const std::string& type = "float32") {
  EXPECT_EQ(tensor.name, name);
  EXPECT_EQ(tensor.shape, shape);
  EXPECT_EQ(tensor.values, values);
  EXPECT_EQ(tensor.type, type);
}

// A weight and a bias with a storage each.
const std::string small_state =
    pickle::ordered_dict({{"fc.weight", pickle::tensor(pickle::storage("0", 6), 0, {2, 3}, {3, 1})},
                          {"fc.bias", pickle::tensor(pickle::storage("1", 2), 0, {2}, {1})}});
const pickle::Items small_storages{{"0", bytes_of_numbers(counted(6))},
                                   {"1", bytes_of_numbers(counted(2, 10))}};

void expect_small_state(const std::vector<NamedTensor>& tensors) {
  ASSERT_EQ(tensors.size(), 2U);
  expect_tensor(tensors[0], "fc.weight", {2, 3}, counted(6));
  expect_tensor(tensors[1], "fc.bias", {2}, counted(2, 10));
}

TEST_F(TorchFile, BothFormatsAreRecognisedByTheirContent) {
  const std::string old =
      old_torch_file(small_state, {{"0", 6, small_storages[0].second}, {"1", 2, small_storages[1].second}});
  EXPECT_EQ(format(torch_zip(small_state, small_storages)), ForeignFormat::pytorch);
  EXPECT_EQ(format(old), ForeignFormat::pytorch_old);
  EXPECT_EQ(format("\x89HDF\r\n\x1a\n and the rest of a checkpoint"), std::nullopt);
  EXPECT_EQ(format(""), std::nullopt);
  EXPECT_EQ(name_of(ForeignFormat::pytorch), "PyTorch");
  EXPECT_EQ(name_of(ForeignFormat::pytorch_old), "PyTorch (before 1.6)");
  expect_small_state(read(torch_zip(small_state, small_storages)));
  expect_small_state(read(old));
}

TEST_F(TorchFile, TheOldFormatsStoragesStandInTheOrderOfTheirList) {
  expect_small_state(read(
      old_torch_file(small_state, {{"1", 2, small_storages[1].second}, {"0", 6, small_storages[0].second}})));
}

TEST_F(TorchFile, WithoutDescriptorsCompressedAndInAnyOrder) {
  const auto part = [](const std::string& name, const std::string& content, bool deflated) {
    ZipPart result;
    result.name = name;
    result.content = content;
    result.deflated = deflated;
    return result;
  };
  expect_small_state(read(zip({part("my model/data/1", small_storages[1].second, false),
                               part("my model/data/unused", "three", true),
                               part("my model/data/0", small_storages[0].second, true),
                               part("my model/data.pkl", pickle::whole(small_state), true)})));
}

TEST_F(TorchFile, StateDictInsideATrainingCheckpoint) {
  const std::string momentum = pickle::dict(
      {{"exp_avg", pickle::tensor(pickle::storage("7", 6), 0, {6}, {1})}, {"step", pickle::integer(3)}});
  const std::string options =
      pickle::call("argparse", "Namespace", ")") + pickle::dict({{"lr", "G12345678"}}) + "b";
  for (const char* key : {"state_dict", "model", "model_state_dict", "net"}) {
    const std::string value = pickle::dict(
        {{"epoch", pickle::integer(7)},
         {"best_acc1", pickle::tensor(pickle::storage("8", 1), 0, {}, {})},
         {key, small_state},
         {"optimizer",
          pickle::dict({{"state", pickle::dict({{"0", momentum}})}, {"param_groups", "]" + momentum + "a"}})},
         {"args", options}});
    expect_small_state(read(torch_zip(value, small_storages)));
  }
}

TEST_F(TorchFile, PrefixesOfWrappersAreRemoved) {
  const auto bias = [](const std::string& name) {
    return pickle::ordered_dict({{name, pickle::tensor(pickle::storage("1", 2), 0, {2}, {1})}});
  };
  for (const std::string name :
       {"module.a.module.b", "_orig_mod.a.module.b", "_orig_mod.module._orig_mod.a.module.b"})
    EXPECT_EQ(read(torch_zip(bias(name), small_storages)).at(0).name, "a.module.b");
}

TEST_F(TorchFile, MetadataAndAttributesAreDropped) {
  const std::string metadata =
      pickle::dict({{"_metadata", pickle::ordered_dict({{"", pickle::dict({{"version", "K\1"}})}})}});
  expect_small_state(read(torch_zip(small_state + metadata + "b", small_storages)));
}

TEST_F(TorchFile, ParametersAreTheTensorsInThem) {
  const std::string weight = pickle::tensor(pickle::storage("0", 6), 0, {2, 3}, {3, 1});
  const std::string old_bias = pickle::call("torch._utils", "_rebuild_tensor",
                                            pickle::tuple({pickle::storage("1", 2), pickle::integer(0),
                                                           pickle::extents({2}), pickle::extents({1})}));
  const std::string none = pickle::ordered_dict({});
  expect_small_state(read(torch_zip(
      pickle::ordered_dict(
          {{"fc.weight",
            pickle::call("torch._utils", "_rebuild_parameter", pickle::tuple({weight, "\x88", none}))},
           // As before version 0.4.
           {"fc.bias", pickle::call("torch.nn.parameter", "Parameter", pickle::tuple({old_bias, "\x88"})) +
                           pickle::tuple({"\x88", "\x89", none}) + "b"}}),
      small_storages)));
}

// Python 2 wrote byte strings and gave OrderedDict its items as an argument.
TEST_F(TorchFile, PicklesOfPython2) {
  const auto word = [](const std::string& content) {
    return "U" + little_endian(content.size(), 1) + content;
  };
  const std::string weight = pickle::tensor(pickle::storage("0", 6), 0, {2, 3}, {3, 1});
  const std::string bias = pickle::tensor(pickle::storage("1", 2), 0, {2}, {1});
  const std::string pairs = "](](" + word("fc.weight") + weight + "e](" + word("fc.bias") + bias + "ee";
  expect_small_state(
      read(torch_zip(pickle::call("collections", "OrderedDict", pairs + "\x85"), small_storages)));
}

// Protocol 4 names globals by texts, which it keeps like everything else in a numbered memo.
TEST_F(TorchFile, MemoFramesAndStackGlobals) {
  const auto word = [](const std::string& content) {
    return "\x8c" + little_endian(content.size(), 1) + content;
  };
  const auto small = [](int value) { return "K" + little_endian(static_cast<std::uint64_t>(value), 1); };
  const std::string memoize = "\x94", stack_global = "\x93", tuple1 = "\x85", no = "\x89";
  const std::string ordered_dict =
      word("collections") + memoize + word("OrderedDict") + memoize + stack_global + memoize;
  const std::string again = "h\2";  // the third of them
  const std::string maker = word("torch._utils") + word("_rebuild_tensor_v2") + stack_global;
  const std::string storage = "(" + word("storage") + word("torch") + word("FloatStorage") + stack_global +
                              word("1") + word("cpu") + small(2) + "tQ";
  const std::string arguments =
      "(" + storage + small(0) + small(2) + tuple1 + small(1) + tuple1 + no + again + ")Rt";
  const std::string value = ordered_dict + ")R(" + word("fc.bias") + maker + arguments + "Ru.";
  ZipPart data, numbers;
  data.name = "x/data.pkl";
  data.content = "\x80\x04\x95" + little_endian(value.size(), 8) + value;
  numbers.name = "x/data/1";
  numbers.content = small_storages[1].second;
  const std::vector<NamedTensor> tensors = read(zip({data, numbers}));
  ASSERT_EQ(tensors.size(), 1U);
  expect_tensor(tensors[0], "fc.bias", {2}, counted(2, 10));
}

TEST_F(TorchFile, NumberFormats) {
  const pickle::Items storages{{"h", bytes_of_numbers<std::uint16_t>({0x3C00, 0xC000})},
                               {"b", bytes_of_numbers<std::uint16_t>({0x3F80, 0xC000})},
                               {"d", bytes_of_numbers<double>({1, -2})},
                               {"n", bytes_of_numbers<std::int64_t>({5})}};
  const auto whole = [](const char* key, const char* type) {
    return pickle::tensor(pickle::storage(key, 2, type), 0, {2}, {1});
  };
  const auto tensors = read(torch_zip(
      pickle::ordered_dict({{"half", whole("h", "HalfStorage")},
                            {"counter", pickle::tensor(pickle::storage("n", 1, "LongStorage"), 0, {}, {})},
                            {"brain", whole("b", "BFloat16Storage")},
                            {"double", whole("d", "DoubleStorage")}}),
      storages));
  ASSERT_EQ(tensors.size(), 3U);
  expect_tensor(tensors[0], "half", {2}, {1, -2}, "float16");
  expect_tensor(tensors[1], "brain", {2}, {1, -2}, "bfloat16");
  expect_tensor(tensors[2], "double", {2}, {1, -2}, "float64");
}

TEST_F(TorchFile, StridesOffsetsAndSharedStorages) {
  const std::string storage = pickle::storage("0", 24);
  const auto tensors =
      read(torch_zip(pickle::ordered_dict({{"whole", pickle::tensor(storage, 0, {2, 3, 4}, {12, 4, 1})},
                                           {"transposed", pickle::tensor(storage, 0, {4, 6}, {1, 4})},
                                           {"slice", pickle::tensor(storage, 5, {2, 2}, {12, 3})},
                                           {"single", pickle::tensor(storage, 23, {}, {})},
                                           {"row", pickle::tensor(storage, 4, {1, 4}, {99, 1})},
                                           {"none", pickle::tensor(storage, 24, {0, 3}, {3, 1})}}),
                     {{"0", bytes_of_numbers(counted(24))}}));
  ASSERT_EQ(tensors.size(), 6U);
  expect_tensor(tensors[0], "whole", {2, 3, 4}, counted(24));
  Floats transposed;
  for (int column = 0; column < 4; ++column)
    for (int row = 0; row < 6; ++row) transposed.push_back(static_cast<float>(4 * row + column));
  expect_tensor(tensors[1], "transposed", {4, 6}, transposed);
  expect_tensor(tensors[2], "slice", {2, 2}, {5, 8, 17, 20});
  expect_tensor(tensors[3], "single", {}, {23});
  expect_tensor(tensors[4], "row", {1, 4}, {4, 5, 6, 7});
  expect_tensor(tensors[5], "none", {0, 3}, {});
}

// Before version 0.2: tensors are keys, whose views and numbers are other members of a tar.
TEST_F(TorchFile, Tars) {
  const auto key = [](int number) { return pickle::integer(number); };
  const auto reference = [](const char* number) { return pickle::text(number) + "Q"; };
  const auto storage = [&](int number, const std::string& type, std::uint64_t numbers,
                           const std::string& bytes) {
    return pickle::whole(pickle::tuple({key(number), pickle::text("cpu"), pickle::global("torch", type)})) +
           little_endian(numbers, 8) + bytes;
  };
  const auto view = [&](int number, int of_storage, const std::vector<std::uint64_t>& numbers) {
    std::string bytes =
        pickle::whole(pickle::tuple({key(number), key(of_storage), pickle::global("torch", "FloatTensor")})) +
        little_endian((numbers.size() - 1) / 2, 8);
    for (const std::uint64_t value : numbers) bytes += little_endian(value, 8);
    return bytes;
  };
  const std::string state = pickle::ordered_dict(
      {{"fc.weight", pickle::call("torch.nn.parameter", "Parameter", reference("11") + "\x85")},
       {"counter", reference("13")},
       {"fc.bias", reference("12")}});
  const std::string file =
      tar({{"sys_info", "ignored"},
           {"pickle", pickle::whole(state)},
           {"tensors", pickle::whole(key(3)) + view(11, 1, {2, 3, 3, 1, 0}) + view(12, 2, {2, 1, 1}) +
                           view(13, 3, {1, 1, 0})},
           {"storages", pickle::whole(key(3)) + storage(3, "LongStorage", 1, std::string(8, '\0')) +
                            storage(1, "FloatStorage", 6, small_storages[0].second) +
                            storage(2, "DoubleStorage", 3, bytes_of_numbers<double>({9, 10, 11})) +
                            pickle::whole("]")}});
  EXPECT_EQ(format(file), ForeignFormat::pytorch_old);
  const std::vector<NamedTensor> tensors = read(file);
  ASSERT_EQ(tensors.size(), 2U);
  expect_tensor(tensors[0], "fc.weight", {2, 3}, counted(6));
  expect_tensor(tensors[1], "fc.bias", {2}, counted(2, 10), "float64");
  EXPECT_EQ(format(tar({{"photo.jpg", "photo"}})), std::nullopt);
}

}  // namespace
}  // namespace convoy
