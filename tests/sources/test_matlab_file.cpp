// Struct arrays in MATLAB's files, sound and hostile, built piece by piece.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "data/image_files.hpp"
#include "sources/imagenet_devkit.hpp"
#include "sources/matlab_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

template <typename T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string element(std::uint32_t type, std::string data) {
  const auto size = static_cast<std::uint32_t>(data.size());
  data.resize((data.size() + 7) / 8 * 8);
  return raw(type) + raw(size) + data;
}

std::string array(unsigned kind, const std::vector<std::int32_t>& sizes, const std::string& name,
                  const std::string& content) {
  std::string dimensions;
  for (const std::int32_t size : sizes) dimensions += raw(size);
  return element(14,
                 element(6, raw<std::uint64_t>(kind)) + element(5, dimensions) + element(1, name) + content);
}

std::string number(double value) {
  return array(6, {1, 1}, "", element(9, raw(value)));
}

std::string text(const std::string& value) {
  return array(4, {1, static_cast<std::int32_t>(value.size())}, "", element(16, value));
}

// The struct array `synsets` with one element.
std::string synsets(const std::vector<std::string>& fields, const std::vector<std::int32_t>& sizes = {1, 1}) {
  std::string names;
  for (const char* name : {"ILSVRC2012_ID", "WNID", "words", "num_children"}) {
    names += name;
    names.resize((names.size() + 13) / 14 * 14);
  }
  std::string content = element(5, raw<std::int32_t>(14)) + element(1, names);
  for (const std::string& field : fields) content += field;
  return array(2, sizes, "synsets", content);
}

std::string file(const std::string& variables, const std::string& version = {"\0\1IM", 4}) {
  std::string header = "MATLAB 5.0 MAT-file";
  header.resize(124);
  return header + version + variables;
}

const std::vector<std::string> sound_fields{number(1), text("n01"), text("tench"), number(0)};

TEST(MatlabFile, FieldsThatAreNumbersOrText) {
  const auto records = read_matlab_structs(file(synsets(sound_fields)), "synsets");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(std::get<double>(records[0].at("ILSVRC2012_ID")), 1);
  EXPECT_EQ(std::get<std::string>(records[0].at("words")), "tench");
}

TEST(MatlabFile, SmallTypesShortPiecesAndOtherVariables) {
  const std::string short_number =
      array(6, {1, 1}, "", raw<std::uint32_t>(1 << 16 | 2) + std::string("\7\0\0\0", 4));
  const std::string list = array(6, {1, 2}, "", element(9, raw(1.0) + raw(2.0)));
  const auto records = read_matlab_structs(file(array(6, {1, 1}, "other", element(9, raw(1.0))) +
                                                synsets({short_number, text("n01"), list, element(14, "")})),
                                           "synsets");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(std::get<double>(records[0].at("ILSVRC2012_ID")), 7);
  EXPECT_FALSE(records[0].contains("words"));
  EXPECT_FALSE(records[0].contains("num_children"));
}

// What matio writes, compressed: every bit that can flip gives a kit or an error, nothing else.
TEST(MatlabFile, DamageIsRefused) {
  const std::string sound = meta_mat_bytes({{1, "n01", "tench"}, {2, "n02", "goldfish"}});
  EXPECT_EQ(read_matlab_structs(sound, "synsets").size(), 3U);
  int refused = 0;
  for (std::size_t bit = 0; bit < sound.size() * 8; ++bit) {
    std::string damaged = sound;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    try {
      read_matlab_structs(damaged, "synsets");
    } catch (const Error& error) {
      EXPECT_EQ(error.category(), ExitCode::bad_data) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
  for (std::size_t size = 0; size < sound.size(); ++size)
    expect_error(ExitCode::bad_data, {}, [&] { read_matlab_structs(sound.substr(0, size), "synsets"); });
}

TEST(MatlabFile, HostileFilesAreRefused) {
  constexpr std::int32_t most = 0x7FFFFFFF;
  const std::vector<std::pair<std::string, std::string>> files{
      {"big-endian", file("", {"\1\0MI", 4})},
      {"version 7.3", file("", {"\0\2IM", 4})},
      {"not a MATLAB file", "MATLAB"},
      {"no struct array synsets", file("")},
      {"not a struct array", file(array(6, {1, 1}, "synsets", element(9, raw(1.0))))},
      {"is missing", file(synsets(sound_fields, {most, 1}))},
      {"sizes that cannot be", file(synsets(sound_fields, {most, most, most}))},
      {"sizes that cannot be", file(synsets(sound_fields, {-1, -1}))},
      {"is incomplete", file(raw<std::uint32_t>(14) + raw<std::uint32_t>(0xFFFFFFF0))},
      {"more than 4 bytes", file(raw<std::uint32_t>(5 << 16 | 1) + "1234")},
      {"no names", file(array(2, {most, 1}, "synsets", element(5, raw<std::int32_t>(0)) + element(1, "")))},
      {"not an array", file(synsets({element(9, raw(1.0))}))},
      {"type 14", file(synsets({array(6, {1, 1}, "", element(14, "12345678"))}))},
      {"a number is incomplete", file(synsets({array(6, {1, 1}, "", element(9, "1234"))}))},
  };
  for (const auto& [reason, bytes] : files)
    expect_error(ExitCode::bad_data, {reason},
                 [&, &bytes = bytes] { read_matlab_structs(bytes, "synsets"); });
}

TEST(MatlabFile, NumbersOfTheKitMustBeNumbersOfThings) {
  const TemporaryFolder folder;
  for (const double id : {-1.0, 1e300, std::nan("")}) {
    write_file(folder / "meta.mat", file(synsets({number(id), text("n01"), text("tench"), number(0)})));
    expect_error(ExitCode::bad_data, {"meta.mat", "synsets(1).ILSVRC2012_ID", "not a number of things"},
                 [&] { read_devkit(folder.path()); });
  }
  write_file(folder / "meta.mat", file(synsets({number(1), number(3), text("tench"), number(0)})));
  expect_error(ExitCode::bad_data, {"synsets(1) has no WNID that is text"},
               [&] { read_devkit(folder.path()); });
}

}  // namespace
}  // namespace convoy::test
