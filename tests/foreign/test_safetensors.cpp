// Files of the safetensors format, sound and hostile.
#include <gtest/gtest.h>

#include "foreign/allocation_peak.hpp"
#include "foreign/file_bytes.hpp"
#include "foreign/foreign_file.hpp"
#include "foreign/safetensors.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

using namespace test;

std::string file_of(const std::string& header, const std::string& numbers) {
  return little_endian(header.size(), 8) + header + numbers;
}

const std::string six_floats = bytes_of_numbers<float>({0, 1, 2, 3, 4, 5});

TEST(Safetensors, TensorsInTheOrderOfTheirPlaces) {
  const TemporaryFolder folder;
  write_bytes(folder / "w",
              file_of(R"({"__metadata__":{"format":"pt","by":"a test"},
    "b":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},
    "count":{"dtype":"I64","shape":[],"data_offsets":[24,32]},
    "module.a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},
    "half":{"dtype":"F16","shape":[],"data_offsets":[32,34]},
    "brain":{"dtype":"BF16","shape":[1],"data_offsets":[34,36]},
    "double":{"dtype":"F64","shape":[1,1],"data_offsets":[36,44]},
    "none":{"dtype":"F32","shape":[0,5],"data_offsets":[44,44]}}   )",
                      six_floats + std::string(8, '\1') + bytes_of_numbers<std::uint16_t>({0x3C00, 0x3F80}) +
                          bytes_of_numbers<double>({-2})));
  EXPECT_EQ(foreign_format(folder / "w"), ForeignFormat::safetensors);
  const SafetensorsContent content = read_safetensors(folder / "w");
  EXPECT_EQ(content.metadata, (SafetensorsMetadata{{"by", "a test"}, {"format", "pt"}}));
  ASSERT_EQ(content.tensors.size(), 6U);
  const char* names[] = {"a", "b", "half", "brain", "double", "none"};
  const std::vector<std::int64_t> shapes[] = {{2, 2}, {2}, {}, {1}, {1, 1}, {0, 5}};
  const std::vector<float> values[] = {{0, 1, 2, 3}, {4, 5}, {1}, {1}, {-2}, {}};
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(content.tensors[i].name, names[i]);
    EXPECT_EQ(content.tensors[i].shape, shapes[i]);
    EXPECT_EQ(content.tensors[i].values, values[i]);
  }
  EXPECT_EQ(content.tensors[3].type, "bfloat16");
}

TEST(Safetensors, DamagedAndHostileFilesAreRefused) {
  const TemporaryFolder folder;
  const auto entry = [](const std::string& name, const std::string& shape, const std::string& places,
                        const std::string& type = "F32") {
    return "\"" + name + R"(":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + places +
           "}";
  };
  const std::string w = entry("w", "[6]", "[0,24]");
  const std::pair<std::string, std::string> cases[] = {
      {"{" + entry("w", "[6]", "[0,25]"), "w: the file is truncated"},
      {"{" + entry("w", "[7]", "[0,24]"), "w: its shape does not fit its 24 bytes"},
      {"{" + entry("w", "[4611686018427387904,4]", "[0,0]"), "w: its shape does not fit"},
      {"{" + entry("w", "[-6]", "[0,24]"), "w: an extent of its shape is not a whole number from 0"},
      {"{" + entry("w", "[18446744073709551615]", "[0,4]"), "w: its shape does not fit"},
      {"{" + entry("w", "[1.5]", "[0,24]"), "w: an extent"},
      {"{" + entry("w", "[0]", "[24,0]"), "w: data_offsets end before they begin"},
      {"{" + entry("w", "[6]", "[24]"), "w: data_offsets are not two numbers"},
      {"{" + entry("w", "[6]", "[0,24]", "F8_E4M3"), "w: numbers of type F8_E4M3"},
      {"{" + entry("w", "[5]", "[0,22]"), "w: its shape does not fit its 22 bytes"},
      {"{" + w + "," + entry("v", "[1]", "[20,24]"), "v: its bytes belong to another tensor too"},
      {"{" + w + "," + w, "two tensors named w"},
      {"{" + w + "," + entry("module.w", "[0]", "[24,24]"), "two tensors named w"},
      {R"({"w":{"dtype":"F32"})", "w: its entry in the header is damaged"},
      {R"({"w":[1])", "w: its entry in the header is damaged"},
      {R"({"__metadata__":{"a":1})", "header is damaged"},
      {R"({"w)", "header is damaged"},
  };
  for (const auto& [header, words] : cases) {
    write_bytes(folder / "w", file_of(header + "}", six_floats));
    expect_error(ExitCode::bad_data, {(folder / "w").string(), words}, [&] { read_foreign(folder / "w"); });
  }
}

TEST(Safetensors, ADeepHeaderTakesLittleMemory) {
  const TemporaryFolder folder;
  write_bytes(folder / "w", file_of(R"({"w":)" + std::string(1 << 20, '['), ""));
  const AllocationPeak peak;
  expect_error(ExitCode::bad_data, {"nested too deeply"}, [&] { read_foreign(folder / "w"); });
  EXPECT_LT(peak.bytes(), std::size_t{3} << 20);  // the header's text, and what reads the file
}

TEST(Safetensors, ALengthBeyondTheFileIsNoSafetensors) {
  const TemporaryFolder folder;
  write_bytes(folder / "w", little_endian(std::uint64_t{1} << 62, 8) + "{}");
  EXPECT_EQ(foreign_format(folder / "w"), std::nullopt);
  write_bytes(folder / "w", little_endian(3, 8) + "{}");
  EXPECT_EQ(foreign_format(folder / "w"), std::nullopt);
}

}  // namespace
}  // namespace convoy
