// Whatever happens to the bytes of a checkpoint, reading it gives the content that was written or an error
// that names the file: never other content, never a crash.
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.hpp"
#include "checkpoint/checkpoint.hpp"
#include "checkpoint/checkpoint_samples.hpp"
#include "data/hdf5_file.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

// By the superblock of version 0, which Convoy's files have.
std::uint64_t end_of_hdf5(const std::string& bytes) {
  std::uint64_t end = 0;
  std::memcpy(&end, bytes.data() + 40, sizeof end);
  return end;
}

class CheckpointDamage : public testing::Test {
 protected:
  void SetUp() override {
    write_checkpoint(path_, table_, written_);
    bytes_ = file_bytes(path_);
  }

  enum class Verdict { refused, same, other };
  // Reads the file with `bytes` in it.
  Verdict read(const std::string& bytes) {
    write_bytes(path_, bytes);
    try {
      return same_content(CheckpointFile(path_).read(table_), written_) ? Verdict::same : Verdict::other;
    } catch (const Error& error) {
      reason_ = error.what();
      EXPECT_NE(reason_.find(path_.filename()), std::string::npos) << reason_;
      EXPECT_TRUE(error.category() == ExitCode::bad_data || error.category() == ExitCode::io) << reason_;
      return Verdict::refused;
    }
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "step-000000007.h5";
  ParameterTable table_{small_network()};
  Checkpoint written_ = sample_checkpoint(table_, 7, true);
  std::string bytes_, reason_;
};

TEST_F(CheckpointDamage, EveryDatasetIsGuarded) {
  std::vector<std::pair<std::string, std::uint64_t>> places;
  {
    const Hdf5File file(path_, Hdf5File::Access::read);
    for (const std::string group : {"/parameters", "/optimizer/first_moment", "/optimizer/second_moment"})
      for (const Parameter& parameter : table_.parameters())
        places.emplace_back(group + "/" + parameter.path(),
                            file.contiguous_offset<float>(group + "/" + parameter.path()));
    for (const std::string dataset : {"/input/mean", "/input/scale"})
      places.emplace_back(dataset, file.contiguous_offset<float>(dataset));
  }
  places.emplace_back("/classes/id", bytes_.find("n00003"));
  places.emplace_back("/classes/name", bytes_.find("Klasse №3"));
  EXPECT_EQ(places.size(), 3u * 6 + 2 + 2);
  for (const auto& [dataset, offset] : places) {
    ASSERT_TRUE(offset > 0 && offset < bytes_.size()) << dataset;
    std::string damaged = bytes_;
    damaged[offset + 2] = static_cast<char>(damaged[offset + 2] ^ 1);
    EXPECT_EQ(read(damaged), Verdict::refused) << dataset;
    // By its own checksum as well, when another program has changed the file and so cut off the one at its
    // end.
    damaged.resize(end_of_hdf5(damaged));
    EXPECT_EQ(read(damaged), Verdict::refused) << dataset;
    EXPECT_NE(reason_.find(dataset + " is corrupt"), std::string::npos) << reason_;
  }
}

// A checkpoint from before there was a choice has no such attribute: it is renamed here.
TEST_F(CheckpointDamage, FitIsCutUnlessItIsNamed) {
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string other = bytes_.substr(0, end_of_hdf5(bytes_));
    return other.replace(other.find(from), from.size(), to);
  };
  EXPECT_EQ(CheckpointFile(path_).header().fit, Fit::warp);
  write_bytes(path_, changed(std::string("fit\0", 4), std::string("fix\0", 4)));
  EXPECT_EQ(CheckpointFile(path_).header().fit, Fit::cut);
  EXPECT_EQ(read(changed("warp", "wasp")), Verdict::refused);
  EXPECT_NE(reason_.find("/input: attribute fit is 'wasp', expected cut, warp or pad"), std::string::npos)
      << reason_;
}

TEST_F(CheckpointDamage, TruncatedAnywhere) {
  // Whoever changes a file with HDF5 cuts off the checksum at its end; what is left is whole.
  EXPECT_EQ(read(bytes_.substr(0, end_of_hdf5(bytes_))), Verdict::same);
  EXPECT_EQ(read(bytes_ + "x"), Verdict::refused);
  for (std::size_t length = 0; length < bytes_.size(); length += 1 + bytes_.size() / 500) {
    if (length != end_of_hdf5(bytes_)) {
      EXPECT_EQ(read(bytes_.substr(0, length)), Verdict::refused) << length;
    }
  }
  EXPECT_EQ(read(bytes_.substr(0, bytes_.size() - 1)), Verdict::refused);
  EXPECT_EQ(read(bytes_), Verdict::same);
}

// HDF5's own structures included, on which the library would crash.
TEST_F(CheckpointDamage, FlippedBitsAnywhere) {
  for (std::size_t i = 0; i < bytes_.size(); i += i + 50 < bytes_.size() ? 23 : 1) {
    std::string damaged = bytes_;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    ASSERT_EQ(read(damaged), Verdict::refused) << "byte " << i << " of " << bytes_.size();
  }
}

TEST_F(CheckpointDamage, ZeroedBlocks) {
  for (std::size_t begin = 0; begin < bytes_.size(); begin += 512) {
    const std::size_t count = std::min<std::size_t>(512, bytes_.size() - begin);
    std::string damaged = bytes_;
    damaged.replace(begin, count, count, '\0');
    // Some blocks hold nothing but zeros anyway.
    EXPECT_EQ(read(damaged), damaged == bytes_ ? Verdict::same : Verdict::refused) << "block at " << begin;
  }
}

}  // namespace
}  // namespace convoy::test
