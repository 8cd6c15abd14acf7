#include "engine/batch_checks.hpp"

#include "base/error.hpp"

namespace convoy {

BatchChecks::BatchChecks(const NetSpec& spec, const InputSpec& input, int most_rows)
    : input_(input), most_rows_(most_rows), classes_(class_count(spec)) {
  const Shape& shape = spec.input;
  if (shape.channels != 3 || input.crop_side != shape.height || input.crop_side != shape.width) {
    fail(ExitCode::usage, "the network takes {}×{}×{} inputs, but crops of 3×{}×{} were asked for",
         shape.channels, shape.height, shape.width, input.crop_side, input.crop_side);
  }
  const auto side = static_cast<std::size_t>(input.stored_side);
  ensure(input.mean.size() == 3 || input.mean.size() == 3 * side * side,
         "a mean has 3 values or is an image");
}

void BatchChecks::check(const BatchView& batch) const {
  ensure(batch.rows >= 0 && batch.rows <= most_rows_, "a batch fits its program");
  const auto rows = static_cast<std::size_t>(batch.rows);
  const auto side = static_cast<std::size_t>(input_.stored_side);
  ensure(batch.images.size() >= rows * side * side * 3 && batch.transforms.size() >= rows &&
             batch.labels.size() >= rows,
         "a batch has the images, labels and transforms of its rows");
  for (std::size_t row = 0; row < rows; ++row) {
    check_crop(batch.transforms[row]);
    if (batch.labels[row] < 0 || batch.labels[row] >= classes_) {
      fail(ExitCode::bad_data, "a sample has label {}, but the network has {} classes (--classes)",
           batch.labels[row], classes_);
    }
  }
}

void BatchChecks::check_crop(const SampleTransform& transform) const {
  if (transform.resample != 0) return;  // interpolation stays inside by itself
  const float* m = transform.matrix;
  const auto last = static_cast<float>(input_.stored_side - 1);
  for (const int x : {0, input_.crop_side - 1}) {
    for (const int y : {0, input_.crop_side - 1}) {
      const float column = m[0] * static_cast<float>(x) + m[1] * static_cast<float>(y) + m[2];
      const float row = m[3] * static_cast<float>(x) + m[4] * static_cast<float>(y) + m[5];
      ensure(column >= 0 && column <= last && row >= 0 && row <= last, "a crop lies inside its stored image");
    }
  }
}

}  // namespace convoy
