// HDF5 files made to harm: they lead to other files, or claim values that they do not hold. What is claimed
// must not be taken from memory first.

#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "data/hdf5_file.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

// A file written with HDF5 itself.
class RawFile {
 public:
  explicit RawFile(const std::filesystem::path& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~RawFile() { H5Fclose(file_); }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  hid_t id() const { return file_; }

  // A dataset of `count` values; `prepare` changes its creation properties, `values` are written if there are
  // any.
  template <typename Prepare>
  void dataset(const char* name, hid_t type, hsize_t count, Prepare&& prepare,
               const void* values = nullptr) const {
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    prepare(properties);
    const hid_t dataset = H5Dcreate2(file_, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ASSERT_GE(dataset, 0);
    if (values != nullptr) H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(dataset);
    H5Pclose(properties);
    H5Sclose(space);
  }

 private:
  hid_t file_;
};

class HostileHdf5 : public ::testing::Test {
 protected:
  template <typename Read>
  void expect_refused(const std::string& reason, Read&& read) {
    const Hdf5File file(path_, Hdf5File::Access::read);
    expect_error(ExitCode::bad_data, {path_.string(), "/x", reason}, [&] { read(file); });
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "x.h5";
};

TEST_F(HostileHdf5, LinksToOtherFilesAreNotFollowed) {
  {
    const RawFile secret(folder_ / "secret.h5");
    const std::int32_t values[] = {1, 2};
    secret.dataset(
        "x", H5T_STD_I32LE, 2, [](hid_t) {}, values);
    const RawFile file(path_);
    H5Lcreate_external((folder_ / "secret.h5").c_str(), "/x", file.id(), "/x", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external((folder_ / "secret.h5").c_str(), "/", file.id(), "/group", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/group/x", file.id(), "/soft", H5P_DEFAULT, H5P_DEFAULT);
  }
  expect_refused("is a link to a name", [](const Hdf5File& file) { file.read<std::int32_t>("/x"); });
  const Hdf5File file(path_, Hdf5File::Access::read);
  for (const char* name : {"/group/x", "/soft"})
    expect_error(ExitCode::bad_data, {path_.string(), "is a link to a name"}, [&] { file.shape(name); });
  expect_error(ExitCode::bad_data, {"is a link to a name"}, [&] { file.children("/group"); });
}

TEST_F(HostileHdf5, ValuesInOtherFilesAreNotRead) {
  {
    const RawFile file(path_);
    file.dataset("x", H5T_STD_U8LE, 16,
                 [](hid_t properties) { H5Pset_external(properties, "/etc/hostname", 0, 16); });
  }
  expect_refused("are in another file", [](const Hdf5File& file) { file.read<std::uint8_t>("/x"); });
  expect_refused("are in another file", [](const Hdf5File& file) {
    std::vector<std::uint8_t> row(1);
    file.read_rows<std::uint8_t>("/x", 0, 1, row);
  });
  {
    const RawFile file(path_);
    file.dataset("x", H5T_STD_I32LE, 4, [](hid_t properties) {
      const hsize_t count = 4;
      const hid_t space = H5Screate_simple(1, &count, nullptr);
      H5Pset_virtual(properties, space, "other.h5", "x", space);
      H5Sclose(space);
    });
  }
  expect_refused("are in another file", [](const Hdf5File& file) { file.read<std::int32_t>("/x"); });
}

// 2^40 values in chunks that were never written would be 4 TB of zeros.
TEST_F(HostileHdf5, ChunksThatAreNotThereClaimNothing) {
  {
    const RawFile file(path_);
    file.dataset("x", H5T_STD_I32LE, hsize_t{1} << 40, [](hid_t properties) {
      const hsize_t chunk = 1024;
      H5Pset_chunk(properties, 1, &chunk);
      H5Pset_deflate(properties, 9);
    });
  }
  expect_refused("claims 1099511627776 values", [](const Hdf5File& file) { file.read<std::int32_t>("/x"); });
  expect_refused("claims 1099511627776 values", [](const Hdf5File& file) { file.read_strings("/x"); });
}

// What deflate can pack is read: a million equal values in a few kilobytes.
TEST_F(HostileHdf5, WellCompressedValuesAreNoClaim) {
  constexpr hsize_t count = 1'000'000;
  {
    const RawFile file(path_);
    const std::vector<std::int32_t> values(count, 7);
    file.dataset(
        "x", H5T_STD_I32LE, count,
        [](hid_t properties) {
          const hsize_t chunk = count;
          H5Pset_chunk(properties, 1, &chunk);
          H5Pset_deflate(properties, 9);
        },
        values.data());
  }
  const Hdf5File file(path_, Hdf5File::Access::read);
  EXPECT_EQ(file.read<std::int32_t>("/x"), std::vector<std::int32_t>(count, 7));
}

TEST_F(HostileHdf5, TextsOfAFixedSizeBeyondTheFile) {
  {
    const RawFile file(path_);
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 3'000'000'000);
    file.dataset("x", text, 4, [](hid_t properties) { H5Pset_alloc_time(properties, H5D_ALLOC_TIME_LATE); });
    H5Tclose(text);
  }
  expect_refused("claims 4 values", [](const Hdf5File& file) { file.read_strings("/x"); });
}

// Each entry of a list of texts is a place in the file's heap: a thousand entries at one text of a megabyte
// are a gigabyte.
TEST_F(HostileHdf5, ManyEntriesAtOneText) {
  constexpr hsize_t count = 1000;
  constexpr std::size_t entry_bytes = 16;
  std::uint64_t place = 0;
  {
    const RawFile file(path_);
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    const std::string longest(1 << 20, 'x'), shortest = "y";
    std::vector<const char*> values(count, shortest.c_str());
    values[0] = longest.c_str();
    file.dataset(
        "x", text, count, [](hid_t) {}, values.data());
    H5Tclose(text);
    const hid_t dataset = H5Dopen2(file.id(), "x", H5P_DEFAULT);
    place = H5Dget_offset(dataset);
    H5Dclose(dataset);
  }
  std::string bytes;
  {
    std::ifstream in(path_, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (hsize_t i = 1; i < count; ++i)
    bytes.replace(place + i * entry_bytes, entry_bytes, bytes, place, entry_bytes);
  std::ofstream(path_, std::ios::binary) << bytes;
  expect_refused("", [](const Hdf5File& file) { file.read_strings("/x"); });
}

}  // namespace
}  // namespace convoy::test
