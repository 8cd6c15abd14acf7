#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstring>
#include <fstream>
#include <numeric>
#include <thread>

#include "base/atomic_file.hpp"
#include "data/hdf5_file.hpp"
#include "support/expect_error.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace convoy {
namespace {

namespace fs = std::filesystem;
using test::expect_error;
using test::FileSizeLimit;
using test::TemporaryFolder;
using Shape = std::vector<std::uint64_t>;

template <typename T>
std::vector<T> counting(std::size_t count) {
  std::vector<T> values(count);
  std::iota(values.begin(), values.end(), T{1});
  return values;
}

void write_everything(const fs::path& path, bool with_checksum = false) {
  Hdf5File file(path, Hdf5File::Access::create);
  file.write<float>("/parameters/conv1/weight", counting<float>(24), {2, 3, 4});
  file.write<std::int32_t>("/labels", counting<std::int32_t>(5), {5});
  file.write<std::uint32_t>("/crc32c", std::vector<std::uint32_t>{0, 0xFFFFFFFFU}, {2});
  file.reserve<std::uint8_t>("/images", {4, 2, 3});
  for (std::uint64_t row = 0; row < 4; ++row)
    file.write_rows<std::uint8_t>("/images", row, 1,
                                  std::vector<std::uint8_t>(6, static_cast<std::uint8_t>(row)));
  file.write_strings("/names", {"a.jpg", "", "größe/ねこ.jpg"});
  file.create_group("/input/deep");
  file.set_attribute("/", "format", "convoy-store");
  file.set_attribute("/", "version", std::int64_t{1});
  file.set_attribute("/input", "loss_scale", 0.1);
  file.set_attribute("/labels", "crc32c", std::uint32_t{0xFFFFFFFFU});
  with_checksum ? file.close_with_checksum() : file.close();
}

TEST(Hdf5File, ReadsWhatItWrote) {
  const TemporaryFolder folder;
  write_everything(folder / "x.h5");
  const Hdf5File file(folder / "x.h5", Hdf5File::Access::read);
  EXPECT_EQ(file.read<float>("/parameters/conv1/weight"), counting<float>(24));
  EXPECT_EQ(file.shape("/parameters/conv1/weight"), (Shape{2, 3, 4}));
  EXPECT_EQ(file.read<std::int32_t>("/labels"), counting<std::int32_t>(5));
  EXPECT_EQ(file.read<std::uint32_t>("/crc32c"), (std::vector<std::uint32_t>{0, 0xFFFFFFFFU}));
  EXPECT_EQ(file.read_strings("/names"), (std::vector<std::string>{"a.jpg", "", "größe/ねこ.jpg"}));
  std::vector<std::uint8_t> rows(12);
  file.read_rows<std::uint8_t>("/images", 1, 2, rows);
  EXPECT_EQ(rows, (std::vector<std::uint8_t>{1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2}));
  std::vector<std::int32_t> labels(5);
  file.read_into<std::int32_t>("/labels", labels);
  EXPECT_EQ(labels, counting<std::int32_t>(5));

  EXPECT_EQ(file.text_attribute("/", "format"), "convoy-store");
  EXPECT_EQ(file.integer_attribute("/", "version"), 1);
  EXPECT_EQ(file.real_attribute("/", "version"), 1.0);
  EXPECT_EQ(file.real_attribute("/input", "loss_scale"), 0.1);
  EXPECT_EQ(file.integer_attribute("/labels", "crc32c"), 0xFFFFFFFFLL);
  EXPECT_TRUE(file.has_attribute("/labels", "crc32c"));
  EXPECT_FALSE(file.has_attribute("/labels", "absent"));
  EXPECT_TRUE(file.exists("/input/deep"));
  EXPECT_TRUE(file.exists("/"));
  EXPECT_FALSE(file.exists("/input/absent/deeper"));
  EXPECT_EQ(file.children("/"),
            (std::vector<std::string>{"crc32c", "images", "input", "labels", "names", "parameters"}));
  EXPECT_TRUE(file.children("/input/deep").empty());
}

TEST(Hdf5File, OffsetsLeadToTheBytes) {
  const TemporaryFolder folder;
  const auto pixels = counting<std::uint8_t>(200);
  std::uint64_t offset = 0;
  {
    Hdf5File file(folder / "x.h5", Hdf5File::Access::create);
    offset = file.reserve<std::uint8_t>("/images", {2, 100});
    file.write_rows<std::uint8_t>("/images", 0, 2, pixels);
    file.close();
  }
  ASSERT_GT(offset, 0U);
  const std::string bytes = read_text_file(folder / "x.h5");
  ASSERT_GE(bytes.size(), offset + 200);
  EXPECT_EQ(std::memcmp(bytes.data() + offset, pixels.data(), 200), 0);
  const Hdf5File file(folder / "x.h5", Hdf5File::Access::read);
  EXPECT_EQ(file.contiguous_offset<std::uint8_t>("/images"), offset);
  EXPECT_EQ(file.contiguous_offset<std::int32_t>("/images"), 0U) << "another type must be converted";
}

TEST(Hdf5File, EqualContentGivesEqualBytes) {
  const TemporaryFolder folder;
  write_everything(folder / "a.h5");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5's object times count seconds
  write_everything(folder / "b.h5");
  EXPECT_EQ(read_text_file(folder / "a.h5"), read_text_file(folder / "b.h5"));
}

TEST(Hdf5File, HoldsEmptyDatasets) {
  const TemporaryFolder folder;
  {
    Hdf5File file(folder / "x.h5", Hdf5File::Access::create);
    file.write<float>("/nothing", std::vector<float>{}, {0, 3});
    file.write_strings("/names", {});
    EXPECT_EQ(file.reserve<std::uint8_t>("/images", {0, 2, 2, 3}), 0U);
    file.write_rows<std::uint8_t>("/images", 0, 0, std::vector<std::uint8_t>{});
    file.close();
  }
  const Hdf5File file(folder / "x.h5", Hdf5File::Access::read);
  EXPECT_TRUE(file.read<float>("/nothing").empty());
  EXPECT_EQ(file.shape("/nothing"), (Shape{0, 3}));
  EXPECT_TRUE(file.read_strings("/names").empty());
}

TEST(Hdf5File, ReplacesAttributes) {
  const TemporaryFolder folder;
  {
    Hdf5File file(folder / "x.h5", Hdf5File::Access::create);
    file.set_attribute("/", "state", std::int64_t{1});
    file.set_attribute("/", "state", "text now");
    file.set_attribute("/", "long", std::string(100'000, 'x'));
    file.set_attribute("/", "empty", "");
    file.close();
  }
  const Hdf5File file(folder / "x.h5", Hdf5File::Access::read);
  EXPECT_EQ(file.text_attribute("/", "state"), "text now");
  EXPECT_EQ(file.text_attribute("/", "long").size(), 100'000U);
  EXPECT_EQ(file.text_attribute("/", "empty"), "");
}

// What h5py, MATLAB and others write: 64-bit labels, fixed-length texts, chunks, big-endian numbers.
TEST(Hdf5File, ReadsOtherToolsFiles) {
  const TemporaryFolder folder;
  {
    const hid_t file = H5Fcreate((folder / "x.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hsize_t size = 3;
    const hid_t space = H5Screate_simple(1, &size, nullptr);
    const std::int64_t labels[3] = {7, -8, 9};
    const hid_t wide = H5Dcreate2(file, "wide", H5T_STD_I64BE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(wide, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels);
    H5Dclose(wide);
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 4);
    const char names[] = "abcdef\0\0\0\0\0\0";
    const hid_t fixed = H5Dcreate2(file, "fixed", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(fixed, text, H5S_ALL, H5S_ALL, H5P_DEFAULT, names);
    H5Dclose(fixed);
    const hid_t one = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(file, "format", text, one, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, text, "h5py");
    H5Aclose(attribute);
    H5Sclose(one);
    H5Tclose(text);
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 2;
    H5Pset_chunk(properties, 1, &chunk);
    const hid_t chunked =
        H5Dcreate2(file, "chunked", H5T_STD_I32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    H5Dwrite(chunked, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels);
    H5Dclose(chunked);
    H5Pclose(properties);
    H5Sclose(space);
    H5Fclose(file);
  }
  const Hdf5File file(folder / "x.h5", Hdf5File::Access::read);
  EXPECT_EQ(file.read<std::int32_t>("/wide"), (std::vector<std::int32_t>{7, -8, 9}));
  EXPECT_EQ(file.read<std::int32_t>("/chunked"), (std::vector<std::int32_t>{7, -8, 9}));
  EXPECT_EQ(file.contiguous_offset<std::int32_t>("/chunked"), 0U);
  EXPECT_EQ(file.contiguous_offset<std::int32_t>("/wide"), 0U);
  EXPECT_EQ(file.read_strings("/fixed"), (std::vector<std::string>{"abcd", "ef", ""}));
  EXPECT_EQ(file.text_attribute("/", "format"), "h5py");
}

TEST(Hdf5File, SaysWhatIsMissingOrOfAnotherKind) {
  const TemporaryFolder folder;
  write_everything(folder / "x.h5");
  const Hdf5File file(folder / "x.h5", Hdf5File::Access::read);
  const auto bad = ExitCode::bad_data;
  expect_error(bad, {"x.h5", "/absent", "no such dataset"}, [&] { file.read<float>("/absent"); });
  expect_error(bad, {"x.h5", "/a/b", "no such dataset"}, [&] { file.shape("/a/b"); });
  expect_error(bad, {"x.h5", "/names", "holds texts, expected reals"}, [&] { file.read<float>("/names"); });
  expect_error(bad, {"/labels", "integers, expected reals"}, [&] { file.read<float>("/labels"); });
  expect_error(bad, {"/parameters/conv1/weight", "reals, expected integers"},
               [&] { file.read<std::int32_t>("/parameters/conv1/weight"); });
  expect_error(bad, {"/labels", "other than text"}, [&] { file.read_strings("/labels"); });
  expect_error(bad, {"'absent'"}, [&] { file.text_attribute("/", "absent"); });
  expect_error(bad, {"'format'", "not an integer"}, [&] { file.integer_attribute("/", "format"); });
  expect_error(bad, {"'format'", "not a number"}, [&] { file.real_attribute("/", "format"); });
  expect_error(bad, {"'version'", "text"}, [&] { file.text_attribute("/", "version"); });
  expect_error(bad, {"/input/absent"}, [&] { file.text_attribute("/input/absent", "x"); });
  expect_error(bad, {"/nowhere", "no such group"}, [&] { file.children("/nowhere"); });
  std::vector<std::int32_t> labels(4);
  expect_error(bad, {"/labels", "[5]", "expected 4"},
               [&] { file.read_into<std::int32_t>("/labels", labels); });
  std::vector<std::uint8_t> rows(6);
  expect_error(bad, {"/images", "no rows 4 to 5"},
               [&] { file.read_rows<std::uint8_t>("/images", 4, 1, rows); });
  expect_error(bad, {"/images", "no rows"}, [&] { file.read_rows<std::uint8_t>("/images", ~0ULL, 2, rows); });
}

TEST(Hdf5File, RefusesWhatItCannotOpen) {
  const TemporaryFolder folder;
  const auto open = [&](const char* name) { Hdf5File file(folder / name, Hdf5File::Access::read); };
  expect_error(ExitCode::io, {"absent.h5", "No such file"}, [&] { open("absent.h5"); });
  std::ofstream(folder / "text.h5") << "not HDF5 at all, but long enough to be looked at";
  expect_error(ExitCode::bad_data, {"text.h5"}, [&] { open("text.h5"); });
  std::ofstream(folder / "empty.h5").flush();
  expect_error(ExitCode::bad_data, {"empty.h5"}, [&] { open("empty.h5"); });
  expect_error(ExitCode::io, {"absent"},
               [&] { Hdf5File(folder / "absent" / "x.h5", Hdf5File::Access::create); });
}

// A file cut anywhere is refused when it is opened or read, never half-believed.
TEST(Hdf5File, NoticesTruncation) {
  const TemporaryFolder folder;
  write_everything(folder / "x.h5");
  const std::uintmax_t size = fs::file_size(folder / "x.h5");
  for (std::uintmax_t length = 0; length < size; length += 97) {
    write_everything(folder / "x.h5");
    fs::resize_file(folder / "x.h5", length);
    expect_error(ExitCode::bad_data, {"x.h5"}, [&] {
      const Hdf5File file(folder / "x.h5", Hdf5File::Access::read);
      file.read<float>("/parameters/conv1/weight");
      file.read_strings("/names");
      file.read<std::uint8_t>("/images");
    });
  }
}

// A byte changed anywhere but in the reserved dataset is refused before HDF5 sees it, which can crash on such
// files.
TEST(Hdf5File, ChecksumCoversAllButReservedDatasets) {
  const TemporaryFolder folder;
  write_everything(folder / "sound.h5", true);
  const std::string sound = read_text_file(folder / "sound.h5");
  const std::uint64_t images =
      Hdf5File(folder / "sound.h5", Hdf5File::Access::read).contiguous_offset<std::uint8_t>("/images");
  ASSERT_GT(images, 0U);
  // The mark at the very end is what says that there is a checksum.
  for (std::size_t at = 0; at < sound.size() - 12; at += 7) {
    std::string damaged = sound;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    std::ofstream(folder / "x.h5", std::ios::binary) << damaged;
    const auto open = [&] { Hdf5File file(folder / "x.h5", Hdf5File::Access::read); };
    if (at >= images && at < images + 24)
      EXPECT_NO_THROW(open()) << at;
    else
      expect_error(ExitCode::bad_data, {"x.h5", "damaged", "checksum"}, open);
  }
}

// Other programs read a file with a checksum, and take the checksum away when they change the file.
TEST(Hdf5File, ChecksumIsNoHindranceToOthers) {
  const TemporaryFolder folder;
  write_everything(folder / "plain.h5");
  write_everything(folder / "x.h5", true);
  const hid_t file = H5Fopen((folder / "x.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  const hid_t labels = H5Dopen2(file, "/labels", H5P_DEFAULT);
  const std::int32_t values[5] = {5, 4, 3, 2, 1};
  ASSERT_GE(H5Dwrite(labels, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
  H5Dclose(labels);
  ASSERT_GE(H5Fclose(file), 0);
  const Hdf5File changed(folder / "x.h5", Hdf5File::Access::read);
  EXPECT_EQ(changed.read<std::int32_t>("/labels"), (std::vector<std::int32_t>{5, 4, 3, 2, 1}));
  EXPECT_EQ(fs::file_size(folder / "x.h5"), fs::file_size(folder / "plain.h5"));
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

TEST(Hdf5File, ReportsAFullDiskAndLetsGoOfTheFile) {
  const TemporaryFolder folder;
  write_everything(folder / "warm-up.h5");
  const std::size_t before = open_descriptors();
  for (int attempt = 0; attempt < 3; ++attempt) {
    expect_error(ExitCode::io, {"big.h5", "File too large"}, [&] {
      const FileSizeLimit limit(50'000);
      Hdf5File file(folder / "big.h5", Hdf5File::Access::create);
      file.write<float>("/weights", std::vector<float>(100'000, 1.0F), {100'000});
      file.close();
    });
  }
  EXPECT_EQ(open_descriptors(), before) << "the descriptor of a failed file would keep its blocks";
  // And when there is room again, it works.
  {
    Hdf5File file(folder / "big.h5", Hdf5File::Access::create);
    file.write<float>("/weights", std::vector<float>(100'000, 1.0F), {100'000});
    file.close();
  }
  const Hdf5File file(folder / "big.h5", Hdf5File::Access::read);
  EXPECT_EQ(file.read<float>("/weights").size(), 100'000U);
}

// Metadata is written when the file is closed: a disk that fills up then must be told too.
TEST(Hdf5File, ReportsAFullDiskAtClosing) {
  const TemporaryFolder folder;
  write_everything(folder / "warm-up.h5");
  const std::size_t before = open_descriptors();
  expect_error(ExitCode::io, {"big.h5", "File too large"}, [&] {
    const FileSizeLimit limit(100);
    Hdf5File file(folder / "big.h5", Hdf5File::Access::create);
    file.set_attribute("/", "text", std::string(2000, 'x'));
    file.close();
  });
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Hdf5File, MovesItsFile) {
  const TemporaryFolder folder;
  write_everything(folder / "a.h5");
  write_everything(folder / "b.h5");
  const std::size_t before = open_descriptors();
  {
    Hdf5File file(folder / "a.h5", Hdf5File::Access::read);
    file = Hdf5File(folder / "b.h5", Hdf5File::Access::read);
    EXPECT_EQ(file.path(), folder / "b.h5");
    Hdf5File moved(std::move(file));
    EXPECT_EQ(moved.read<std::int32_t>("/labels").size(), 5U);
    moved.close();
    moved.close();  // twice is once
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Hdf5File, ManyThreadsShareTheLibrary) {
  const TemporaryFolder folder;
  for (int i = 0; i < 4; ++i) write_everything(folder / fmt::format("x{}.h5", i));
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&folder, i] {
      for (int round = 0; round < 50; ++round) {
        const Hdf5File file(folder / fmt::format("x{}.h5", round % 4), Hdf5File::Access::read);
        EXPECT_EQ(file.read<std::int32_t>("/labels").back(), 5);
        EXPECT_THROW(file.read<float>("/absent"), Error);
        Hdf5File own(folder / fmt::format("own{}.h5", i), Hdf5File::Access::create);
        own.write_strings("/names", {"x"});
        own.close();
      }
    });
  }
}

}  // namespace
}  // namespace convoy
