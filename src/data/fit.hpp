// How an image of any shape becomes the square that a store contains: the choice of `pack --fit`, recorded in
// store.json and in checkpoints, so that later images are prepared like those that a network was trained on.
#pragma once

#include "base/words.hpp"

namespace convoy {

enum class Fit {
  cut,   // the shorter side becomes the square's side, and the centre is kept
  warp,  // both sides become the square's side: the proportions change
  pad,   // the longer side becomes the square's side, and the borders are filled
};

inline Words<Fit> fit_words() {
  return {{"cut", Fit::cut}, {"warp", Fit::warp}, {"pad", Fit::pad}};
}

}  // namespace convoy
