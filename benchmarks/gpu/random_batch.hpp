// Random pixels and labels for steps that no loader feeds, in memory from which a GPU copies at full speed.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "base/philox.hpp"
#include "data/batch.hpp"

namespace convoy::gpu_benchmark {

class RandomBatch {
 public:
  RandomBatch(int rows, const InputSpec& input, int classes, std::pmr::memory_resource& memory)
      : images_(static_cast<std::size_t>(rows) * input.stored_side * input.stored_side * 3, &memory),
        labels_(static_cast<std::size_t>(rows), &memory),
        transforms_(static_cast<std::size_t>(rows), &memory) {
    for (std::size_t i = 0; i < images_.size(); i += 4) {
      const PhiloxBlock block = philox(1, {{static_cast<std::uint32_t>(i), 0, 0, 0}});
      for (std::size_t j = 0; j < 4 && i + j < images_.size(); ++j)
        images_[i + j] = static_cast<std::uint8_t>(block.word[j]);
    }
    for (std::size_t row = 0; row < labels_.size(); ++row) {
      labels_[row] = static_cast<std::int32_t>(row) % classes;
      if (row % 2 == 0) continue;  // the others are mirrored
      transforms_[row].matrix[0] = -1;
      transforms_[row].matrix[2] = static_cast<float>(input.crop_side - 1);
    }
  }

  BatchView view(std::int64_t first_position) const {
    return {.rows = static_cast<int>(labels_.size()),
            .images = images_,
            .labels = labels_,
            .transforms = transforms_,
            .first_position = first_position};
  }

 private:
  std::pmr::vector<std::uint8_t> images_;
  std::pmr::vector<std::int32_t> labels_;
  std::pmr::vector<SampleTransform> transforms_;
};

}  // namespace convoy::gpu_benchmark
