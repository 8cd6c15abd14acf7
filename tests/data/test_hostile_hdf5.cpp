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

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

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

// Each entry of a list of texts is a length, a place in the file's heap and a number there. HDF5 1.10 reads
// and writes outside its memory for wrong ones.
class HostileTexts : public HostileHdf5 {
 protected:
  static constexpr std::size_t entry_bytes = 16, address_at = 4, number_at = 12;

  // A dataset x of a text of a megabyte and 999 of a letter.
  void SetUp() override {
    constexpr hsize_t count = 1000;
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
      entries_ = H5Dget_offset(dataset);
      H5Dclose(dataset);
    }
    bytes_ = bytes_of(path_);
    const Hdf5File file(path_, Hdf5File::Access::read);
    ASSERT_EQ(file.read_strings("/x").at(999), "y");
  }

  void expect_refused_with(const std::string& bytes, const std::string& reason) {
    std::ofstream(path_, std::ios::binary) << bytes;
    expect_refused(reason, [](const Hdf5File& file) { file.read_strings("/x"); });
  }

  std::uint64_t entries_ = 0;
  std::string bytes_;
};

// A thousand entries at the text of a megabyte would be a gigabyte.
TEST_F(HostileTexts, ManyEntriesAtOneText) {
  for (std::size_t i = 1; i < 1000; ++i)
    bytes_.replace(entries_ + i * entry_bytes, entry_bytes, bytes_, entries_, entry_bytes);
  expect_refused_with(bytes_, "is not where it is said to be");
}

TEST_F(HostileTexts, EntriesThatLeadNowhere) {
  const auto changed = [&](std::size_t at, const std::string& part) {
    return std::string(bytes_).replace(entries_ + at, part.size(), part);
  };
  expect_refused_with(changed(0, "\xFF\xFF\xFF\xFF"), "4294967295 bytes is not where it is said to be");
  expect_refused_with(changed(number_at, "\xFF\xFF\xFF\xFF"), "is not where it is said to be");
  expect_refused_with(changed(number_at, std::string("\0\0\1\0", 4)), "is not where it is said to be");
  expect_refused_with(changed(address_at, "\xFF\xFF\xFF\xFF"), "not within the file");
  expect_refused_with(changed(address_at, std::string("\x08\0\0\0\0\0\0\0", 8)), "where the file has none");
}

// HDF5 1.10 reads the names in the description of a compound beyond its end.
TEST_F(HostileHdf5, TypesThatConvoyDoesNotUse) {
  {
    const RawFile file(path_);
    const hid_t pair = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(pair, "first", 0, H5T_STD_I32LE);
    H5Tinsert(pair, "second", 4, H5T_STD_I32LE);
    file.dataset("x", pair, 2, [](hid_t) {});
    const hid_t one = H5Screate(H5S_SCALAR);
    H5Aclose(H5Acreate2(file.id(), "pair", pair, one, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(one);
    H5Tclose(pair);
  }
  expect_refused("neither numbers nor text, but of type 6", [](const Hdf5File& file) { file.shape("/x"); });
  const Hdf5File file(path_, Hdf5File::Access::read);
  expect_error(ExitCode::bad_data, {path_.string(), "of type 6"}, [&] { file.has_attribute("/", "pair"); });
}

// HDF5 1.10 copies as much as an attribute's type says, from behind the end of its memory too.
TEST_F(HostileHdf5, AttributesShorterThanTheyClaim) {
  const std::string name = "an-attribute";
  constexpr std::size_t name_bytes = 16, size_at = 4;  // padded; in the type that follows
  {
    const RawFile file(path_);
    const hid_t one = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(file.id(), name.c_str(), H5T_STD_I64LE, one, H5P_DEFAULT, H5P_DEFAULT);
    const std::int64_t value = 7;
    H5Awrite(attribute, H5T_NATIVE_INT64, &value);
    H5Aclose(attribute);
    H5Sclose(one);
  }
  EXPECT_EQ(Hdf5File(path_, Hdf5File::Access::read).integer_attribute("/", name), 7);
  std::string bytes = bytes_of(path_);
  const auto at = bytes.find(name);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at + name_bytes + size_at, 4, "\xFF\xFF\xFF\x7F");
  std::ofstream(path_, std::ios::binary) << bytes;
  const Hdf5File file(path_, Hdf5File::Access::read);
  expect_error(ExitCode::bad_data, {path_.string(), "truncated"}, [&] { file.integer_attribute("/", name); });
  expect_error(ExitCode::bad_data, {path_.string(), "truncated"}, [&] { file.has_attribute("/", "other"); });
}

}  // namespace
}  // namespace convoy::test
