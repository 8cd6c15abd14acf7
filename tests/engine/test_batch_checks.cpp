// What an engine refuses to compute: images, crops and labels that do not fit the network or its program.
#include <gtest/gtest.h>

#include <string>

#include "base/error.hpp"
#include "engine/batch_checks.hpp"
#include "reference/random_batch.hpp"
#include "support/expect_error.hpp"

namespace convoy::test {
namespace {

class BatchChecked : public testing::Test {
 protected:
  BatchChecked() {
    spec_.name = "small";
    spec_.input = {3, 16, 16};
    spec_.layers = {FullyConnected{"fc8", 5}};
    input_ = test_input(spec_, 20);
    batch_ = random_batch(input_, 5, 4, TransformKind::crop_and_mirror, 1);
  }

  void accept(const BatchView& batch) const { BatchChecks(spec_, input_, 4).check(batch); }

  void expect_refused(const BatchView& batch, ExitCode category, const std::string& text) const {
    expect_error(category, {text}, [&] { accept(batch); });
  }

  NetSpec spec_;
  InputSpec input_;
  TestBatch batch_;
};

TEST_F(BatchChecked, BatchesThatFitAreTaken) {
  accept(batch_.view());
  accept(batch_.part(0, 1).view());
  accept({});
  accept(random_batch(input_, 5, 4, TransformKind::warp, 2).view());
}

TEST_F(BatchChecked, CropsOfAnotherSizeAreRefused) {
  input_.crop_side = 15;
  expect_refused(batch_.view(), ExitCode::usage, "3×16×16 inputs, but crops of 3×15×15");
  input_.crop_side = 16;
  spec_.input.channels = 1;
  expect_refused(batch_.view(), ExitCode::usage, "1×16×16");
}

TEST_F(BatchChecked, AMeanHasThreeValuesOrIsAnImage) {
  input_.mean.assign(3 * 20 * 20, 100);
  accept(batch_.view());
  input_.mean.resize(3 * 16 * 16);
  expect_refused(batch_.view(), ExitCode::bug, "a mean");
}

TEST_F(BatchChecked, LabelsAreClasses) {
  for (const int label : {-1, 5}) {
    batch_.labels[3] = label;
    expect_refused(batch_.view(), ExitCode::bad_data, "label " + std::to_string(label));
  }
  batch_.labels[3] = 4;
  accept(batch_.view());
  // Of rows that are there.
  batch_.labels[3] = 5;
  BatchView three = batch_.view();
  three.rows = 3;
  accept(three);
}

TEST_F(BatchChecked, ABatchHasAllOfItsRowsAndFits) {
  BatchView view = batch_.view();
  view.images = view.images.first(view.images.size() - 1);
  expect_refused(view, ExitCode::bug, "images, labels and transforms");
  view = batch_.view();
  view.labels = view.labels.first(3);
  expect_refused(view, ExitCode::bug, "images, labels and transforms");
  view = batch_.view();
  view.transforms = view.transforms.first(3);
  expect_refused(view, ExitCode::bug, "images, labels and transforms");
  expect_refused(random_batch(input_, 5, 5, TransformKind::centre, 1).view(), ExitCode::bug,
                 "fits its program");
  view = batch_.view();
  view.rows = -1;
  expect_refused(view, ExitCode::bug, "fits its program");
}

TEST_F(BatchChecked, CropsLieInsideTheirImages) {
  SampleTransform& transform = batch_.transforms[2];
  transform = {.matrix = {1, 0, 4, 0, 1, 4}};
  accept(batch_.view());
  for (float* offset : {&transform.matrix[2], &transform.matrix[5]}) {
    for (const float outside : {-1.0F, 5.0F}) {
      *offset = outside;
      expect_refused(batch_.view(), ExitCode::bug, "inside its stored image");
    }
    *offset = 4;
  }
  // Mirrored: the first column is the crop's last.
  transform = {.matrix = {-1, 0, 15, 0, 1, 0}};
  accept(batch_.view());
  transform.matrix[2] = 14;
  expect_refused(batch_.view(), ExitCode::bug, "inside its stored image");
  transform.resample = 1;
  accept(batch_.view());
}

}  // namespace
}  // namespace convoy::test
