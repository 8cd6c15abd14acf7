// Checkpoints and folders of runs made to harm: values that are claimed but not there, links that lead
// elsewhere.

#include <gtest/gtest.h>
#include <hdf5.h>

#include <filesystem>
#include <string>

#include "checkpoint/checkpoint.hpp"
#include "checkpoint/checkpoint_samples.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

// A mean image of 60000 × 60000 pixels, none of them in the file, would be 43 GB.
TEST(HostileCheckpoint, ClaimedMeanImageTakesNoMemory) {
  const TemporaryFolder folder;
  const fs::path path = folder / "c.h5";
  const ParameterTable table(small_network());
  write_checkpoint(path, table, sample_checkpoint(table, 7));
  {
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    ASSERT_GE(H5Ldelete(file, "/input/mean", H5P_DEFAULT), 0);
    const hsize_t shape[] = {3, 60000, 60000}, chunk[] = {3, 100, 100};
    const hid_t space = H5Screate_simple(3, shape, nullptr);
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 3, chunk);
    const hid_t mean =
        H5Dcreate2(file, "/input/mean", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ASSERT_GE(mean, 0);
    const hid_t input = H5Gopen2(file, "/input", H5P_DEFAULT), size = H5Aopen(input, "size", H5P_DEFAULT);
    const std::int64_t side = 60000;
    ASSERT_GE(H5Awrite(size, H5T_NATIVE_INT64, &side), 0);
    H5Aclose(size);
    H5Gclose(input);
    H5Dclose(mean);
    H5Pclose(properties);
    H5Sclose(space);
    H5Fclose(file);
  }
  expect_error(ExitCode::bad_data, {path.string(), "/input/mean", "claims 10800000000 values"},
               [&] { const CheckpointFile read(path); });
}

TEST(HostileCheckpoint, LinksLeadToCheckpointsBesideThem) {
  const TemporaryFolder folder;
  EXPECT_TRUE(linked_checkpoint(folder.path(), "latest").empty());
  write_bytes(folder / "step-000000007.h5", "a checkpoint");
  fs::create_symlink("step-000000007.h5", folder / "latest");
  EXPECT_EQ(linked_checkpoint(folder.path(), "latest"), folder / "latest");
  fs::create_symlink("step-000000008.h5", folder / "best");  // was removed
  EXPECT_TRUE(linked_checkpoint(folder.path(), "best").empty());
  for (const std::string target :
       {"../step-000000007.h5", "/etc/hostname", "deep/step-000000007.h5", "other.h5"}) {
    fs::remove(folder / "latest");
    fs::create_symlink(target, folder / "latest");
    expect_error(ExitCode::bad_data, {(folder / "latest").string(), target},
                 [&] { linked_checkpoint(folder.path(), "latest"); });
  }
}

}  // namespace
}  // namespace convoy::test
