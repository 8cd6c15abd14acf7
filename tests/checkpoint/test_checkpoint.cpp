#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.hpp"
#include "checkpoint/checkpoint.hpp"
#include "checkpoint/checkpoint_samples.hpp"
#include "checkpoint/trained_model.hpp"
#include "data/hdf5_file.hpp"
#include "model/networks.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

namespace fs = std::filesystem;

class CheckpointTest : public testing::Test {
 protected:
  // `work` throws an Error of that category whose text holds `text` and the file's name.
  void expect_refusal(const std::function<void()>& work, const std::string& text,
                      ExitCode category = ExitCode::bad_data) const {
    try {
      work();
      ADD_FAILURE() << "not refused: expected '" << text << "'";
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_NE(what.find(text), std::string::npos) << what;
      EXPECT_NE(what.find(path_.filename()), std::string::npos) << what;
      EXPECT_EQ(error.category(), category) << what;
    }
  }

  TemporaryFolder folder_;
  fs::path path_ = folder_ / "step-000000007.h5";
  ParameterTable table_{small_network()};
};

TEST_F(CheckpointTest, RoundTrip) {
  for (const bool mean_image : {false, true}) {
    for (const std::int64_t step : {0, 7, 1'000'000'007}) {
      const Checkpoint written = sample_checkpoint(table_, step, mean_image);
      write_checkpoint(path_, table_, written);
      EXPECT_TRUE(same_content(CheckpointFile(path_).read(table_), written)) << step;
      EXPECT_TRUE(same_content(CheckpointFile(path_).read(table_, "small"), written)) << step;
      const CheckpointHeader header = CheckpointFile(path_).header();
      EXPECT_EQ(header.step, step);
      EXPECT_EQ(header.classes, written.header.classes);
      EXPECT_EQ(std::isnan(header.best_top1), step == 0);
    }
  }
  EXPECT_FALSE(fs::exists(path_.string() + ".partial"));
}

TEST_F(CheckpointTest, AModelToUseComesWithoutSlots) {
  Checkpoint written = sample_checkpoint(table_, 7);
  write_checkpoint(path_, table_, written);
  const CheckpointFile file(path_);
  EXPECT_EQ(file.read_parameters(table_), written.parameters);
  EXPECT_EQ(file.header().step, 7);
}

TEST_F(CheckpointTest, AModelThatNobodyKnowsCannotBeUsed) {
  write_checkpoint(path_, table_, sample_checkpoint(table_, 7));
  expect_refusal([&] { load_model(path_); }, "unknown network 'small'");
}

TEST_F(CheckpointTest, ImportedWeightsHaveNoOptimizer) {
  Checkpoint written = sample_checkpoint(table_, 3);
  written.header.optimizer.clear();
  written.header.slots.clear();
  written.optimizer.clear();
  written.header.configuration.clear();  // empty texts come back empty
  written.header.schedule_state.clear();
  written.header.classes.clear();
  write_checkpoint(path_, table_, written);
  EXPECT_TRUE(same_content(CheckpointFile(path_).read(table_), written));
  EXPECT_FALSE(Hdf5File(path_, Hdf5File::Access::read).exists("/optimizer"));
}

TEST_F(CheckpointTest, EqualContentGivesEqualBytes) {
  write_checkpoint(path_, table_, sample_checkpoint(table_, 7));
  const std::string first = file_bytes(path_);
  // Another file in between: nothing of the process's history may show.
  write_checkpoint(folder_ / "other.h5", table_, sample_checkpoint(table_, 8, true));
  write_checkpoint(folder_ / "again.h5", table_, sample_checkpoint(table_, 7));
  EXPECT_TRUE(file_bytes(folder_ / "again.h5") == first);
  EXPECT_FALSE(file_bytes(folder_ / "other.h5") == first);
}

// The layout that other programs read.
TEST_F(CheckpointTest, FormatIsTheDocumentedOne) {
  const Checkpoint written = sample_checkpoint(table_, 7);
  write_checkpoint(path_, table_, written);
  const Hdf5File file(path_, Hdf5File::Access::read);
  EXPECT_EQ(file.text_attribute("/", "format"), "convoy-checkpoint");
  EXPECT_EQ(file.integer_attribute("/", "version"), 1);
  EXPECT_EQ(file.text_attribute("/", "model"), "small");
  EXPECT_EQ(file.integer_attribute("/", "step"), 7);
  EXPECT_EQ(file.children("/"), (std::vector<std::string>{"classes", "input", "optimizer", "parameters"}));
  EXPECT_EQ(file.shape("/parameters/conv1/weight"), (std::vector<std::uint64_t>{4, 3, 3, 3}));
  EXPECT_EQ(file.shape("/parameters/conv2/weight"), (std::vector<std::uint64_t>{6, 2, 3, 3}));
  EXPECT_EQ(file.shape("/parameters/fc3/weight"), (std::vector<std::uint64_t>{5, 96}));
  EXPECT_EQ(file.shape("/optimizer/second_moment/fc3/bias"), (std::vector<std::uint64_t>{5}));
  EXPECT_EQ(file.text_attribute("/optimizer", "optimizer"), "adam");
  EXPECT_EQ(file.integer_attribute("/input", "size"), 10);
  EXPECT_EQ(file.integer_attribute("/input", "crop"), 8);
  EXPECT_EQ(file.text_attribute("/input", "fit"), "warp");
  EXPECT_EQ(file.read<float>("/input/mean"), written.header.input.mean);
  EXPECT_EQ(file.read_strings("/classes/name")[2], "Klasse №2");
  const Parameter& weight = table_.find("conv2", ParameterKind::weight);
  const auto stored = file.read<float>("/parameters/conv2/weight");
  EXPECT_TRUE(std::equal(stored.begin(), stored.end(),
                         written.parameters.begin() + static_cast<std::ptrdiff_t>(weight.offset)));
  EXPECT_TRUE(file.has_attribute("/parameters/conv2/weight", "crc32c"));
}

TEST_F(CheckpointTest, ReadsSingleTensors) {
  write_checkpoint(path_, table_, sample_checkpoint(table_, 7));
  const auto tensor = CheckpointFile(path_).read_tensor("/parameters/fc3/weight");
  ASSERT_TRUE(tensor.has_value());
  EXPECT_EQ(tensor->shape, (std::vector<int>{5, 96}));
  EXPECT_EQ(tensor->values.size(), 480u);
  EXPECT_FALSE(CheckpointFile(path_).read_tensor("/parameters/fc9/weight").has_value());
}

TEST_F(CheckpointTest, RefusesAnotherModel) {
  write_checkpoint(path_, table_, sample_checkpoint(table_, 7));
  expect_refusal([&] { CheckpointFile(path_).read(table_, "alexnet"); }, "holds 'small', not 'alexnet'");

  const ParameterTable wider(small_network(6));
  expect_refusal([&] { CheckpointFile(path_).read(wider); },
                 "/parameters/fc3/weight is 5 x 96, this network needs 6 x 96");

  NetSpec renamed = small_network();
  std::get<FullyConnected>(renamed.layers.back()).name = "fc4";
  expect_refusal([&] { CheckpointFile(path_).read(ParameterTable(renamed)); },
                 "holds 'small', whose layer /parameters/fc3 this network does not have");

  NetSpec longer = small_network();
  longer.layers.push_back(FullyConnected{"fc4", 2});
  expect_refusal([&] { CheckpointFile(path_).read(ParameterTable(longer)); },
                 "holds 'small', which lacks this network's /parameters/fc4");
}

TEST_F(CheckpointTest, RefusesForeignFiles) {
  expect_refusal([&] { CheckpointFile(path_).read(table_); }, "", ExitCode::io);  // absent
  write_bytes(path_, "");
  expect_refusal([&] { CheckpointFile(path_).read(table_); }, "HDF5");
  write_bytes(path_, std::string(5000, 'x'));
  expect_refusal([&] { CheckpointFile(path_).read(table_); }, "HDF5");
  {
    Hdf5File file(path_, Hdf5File::Access::create);
    file.create_group("/parameters");
    file.close();
  }
  expect_refusal([&] { CheckpointFile(path_).header(); }, "not a checkpoint of Convoy");
  {
    Hdf5File file(path_, Hdf5File::Access::create);
    file.set_attribute("/", "format", std::string_view("convoy-store"));
    file.close();
  }
  expect_refusal([&] { CheckpointFile(path_).header(); }, "not a checkpoint of Convoy");
  {
    Hdf5File file(path_, Hdf5File::Access::create);
    file.set_attribute("/", "format", std::string_view("convoy-checkpoint"));
    file.set_attribute("/", "version", std::int64_t{2});
    file.close();
  }
  expect_refusal([&] { CheckpointFile(path_).header(); }, "version 2");
}

TEST_F(CheckpointTest, RefusesToWriteNonsense) {
  Checkpoint checkpoint = sample_checkpoint(table_, 7);
  checkpoint.optimizer.pop_back();
  EXPECT_THROW(write_checkpoint(path_, table_, checkpoint), Error);
  checkpoint = sample_checkpoint(table_, 7);
  checkpoint.parameters.pop_back();
  EXPECT_THROW(write_checkpoint(path_, table_, checkpoint), Error);
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(CheckpointTest, FolderThatDoesNotExist) {
  expect_refusal(
      [&] {
        write_checkpoint(folder_ / "absent" / "step-000000007.h5", table_, sample_checkpoint(table_, 7));
      },
      "absent", ExitCode::io);
}

TEST(CheckpointNames, BothWays) {
  EXPECT_EQ(checkpoint_name(12345), "step-000012345.h5");
  EXPECT_EQ(checkpoint_name(12'345'678'901), "step-12345678901.h5");
  EXPECT_EQ(checkpoint_step("step-000012345.h5"), 12345);
  EXPECT_EQ(checkpoint_step("step-12345678901.h5"), 12'345'678'901);
  for (const char* other : {"step-.h5", "step-1.h5.partial", "step-x1.h5", "latest", "", "step--00000001.h5"})
    EXPECT_EQ(checkpoint_step(other), std::nullopt) << other;
}

TEST_F(CheckpointTest, FindsTheNewestSoundOne) {
  const fs::path folder = folder_ / "checkpoints";
  EXPECT_TRUE(find_newest_checkpoint(folder, table_).path.empty());
  fs::create_directory(folder);
  EXPECT_TRUE(find_newest_checkpoint(folder, table_).path.empty());
  for (const std::int64_t step : {9, 10, 11, 12})
    write_checkpoint(folder / checkpoint_name(step), table_, sample_checkpoint(table_, step));
  EXPECT_EQ(find_newest_checkpoint(folder, table_).path, folder / checkpoint_name(12));

  // 12 is torn, 11 holds another step's content: 10 it is.
  const std::string bytes = file_bytes(folder / checkpoint_name(12));
  write_bytes(folder / checkpoint_name(12), bytes.substr(0, bytes.size() / 2));
  fs::copy_file(folder / checkpoint_name(9), folder / checkpoint_name(11),
                fs::copy_options::overwrite_existing);
  write_bytes(folder / (checkpoint_name(13) + ".partial"), bytes);
  const NewestCheckpoint newest = find_newest_checkpoint(folder, table_);
  EXPECT_EQ(newest.path, folder / checkpoint_name(10));
  EXPECT_EQ(newest.checkpoint.header.step, 10);
  ASSERT_EQ(newest.refused.size(), 2u);
  EXPECT_EQ(newest.refused[0].first, folder / checkpoint_name(12));
  EXPECT_NE(newest.refused[1].second.find("was renamed, it holds step 9"), std::string::npos);

  const ParameterTable other(make_network("alexnet-mini"));
  EXPECT_TRUE(find_newest_checkpoint(folder, other).path.empty());
  EXPECT_EQ(find_newest_checkpoint(folder, other).refused.size(), 4u);
}

}  // namespace
}  // namespace convoy::test
