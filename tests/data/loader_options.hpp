// What the loader's tests have in common.
#pragma once

#include "data/loader.hpp"

namespace convoy::test {

// Random crops and mirrors of the small store's images.
inline LoaderOptions basic_options(std::int64_t global_batch) {
  LoaderOptions options;
  options.global_batch = global_batch;
  options.seed = 11;
  options.crop_side = 6;
  options.augmentation = parse_augmentation("crop,mirror");
  return options;
}

}  // namespace convoy::test
