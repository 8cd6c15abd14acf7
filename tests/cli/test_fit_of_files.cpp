// From pack to predict through the program: a file is prepared like the images that its network was trained
// on.
#include <gtest/gtest.h>

#include "data/image_files.hpp"
#include "support/process.hpp"
#include "support/program_runs.hpp"

namespace convoy::test {
namespace {

const std::string program = CONVOY_PROGRAM;

// 68 pixels high; red in the left quarter, blue elsewhere: warped to a square, pictures of all widths are the
// same, but the centre of a wide one is blue.
std::string banner(int width) {
  PngParts parts;
  parts.width = width;
  parts.height = 68;
  for (int y = 0; y < parts.height; ++y) {
    std::vector<std::uint8_t> row;
    for (int x = 0; x < width; ++x) {
      const bool left = x < width / 4;
      for (const int value : {left ? 220 : 10, y, left ? 10 : 220})
        row.push_back(static_cast<std::uint8_t>(value));
    }
    parts.rows.push_back(row);
  }
  return png_bytes(parts);
}

// The answer of `predict --json` without the file's name.
std::string answer(const std::string& checkpoint, const std::string& image) {
  const Outcome outcome =
      run({program, "predict", "--checkpoint", checkpoint, "--json", "--device", "cpu", image});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.out.substr(outcome.out.find("\"top\""));
}

TEST(FitOfFiles, PredictPreparesAFileLikeTheStore) {
  const TemporaryFolder folder;
  for (const std::string name : {"a/1.png", "a/2.png", "b/1.png", "b/2.png"})
    write_file(folder / "images" / name, banner(136));
  const std::string wide = folder / "wide.png", square = folder / "square.png";
  write_file(wide, banner(204));
  write_file(square, banner(68));
  for (const std::string fit : {"cut", "warp"}) {
    const std::string store = folder / fit, images = folder / "images";
    const Outcome packed = run({program, "pack", images, store, "--image-size", "68", "--fit", fit});
    ASSERT_EQ(packed.code, 0) << packed.err;
    const Outcome trained =
        run(tiny_training(program, store, folder / ("run-" + fit), {"--steps", "0", "--global-batch", "4"}));
    ASSERT_EQ(trained.code, 0) << trained.err;
    const std::string checkpoint = folder / ("run-" + fit) / "checkpoints" / "latest";
    EXPECT_EQ(answer(checkpoint, wide) == answer(checkpoint, square), fit == "warp") << fit;
  }
  const std::string warped = folder / "run-warp" / "checkpoints" / "latest";
  const Outcome tuned = run(tiny_training(program, folder / "cut", folder / "tuned",
                                          {"--steps", "0", "--global-batch", "4", "--weights", warped}));
  EXPECT_EQ(tuned.code, 0) << tuned.err;
  EXPECT_NE(
      tuned.err.find("trained on images packed with --fit warp, this store's were packed with --fit cut"),
      std::string::npos)
      << tuned.err;
}

TEST(FitOfFiles, AnotherWordOrAnotherFitThanTheStoresIsRefused) {
  const TemporaryFolder folder;
  write_file(folder / "images/a/1.png", banner(136));
  write_file(folder / "images/b/1.png", banner(68));
  const std::string images = folder / "images", store = folder / "store";
  const Outcome unknown = run({program, "pack", images, store, "--fit", "squash"});
  EXPECT_EQ(unknown.code, 64);
  EXPECT_NE(unknown.err.find("--fit: 'squash' is not one of cut, warp, pad"), std::string::npos)
      << unknown.err;
  ASSERT_EQ(run({program, "pack", images, store, "--fit", "warp"}).code, 0);
  const Outcome other = run({program, "pack", images, store, "--split", "val"});
  EXPECT_EQ(other.code, 64);
  EXPECT_NE(other.err.find("use --fit warp"), std::string::npos) << other.err;
  EXPECT_EQ(run({program, "pack", images, store, "--split", "val", "--fit", "warp"}).code, 0);
}

}  // namespace
}  // namespace convoy::test
