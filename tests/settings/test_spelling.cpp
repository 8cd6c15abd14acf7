#include <gtest/gtest.h>

#include "settings/spelling.hpp"

namespace convoy {
namespace {

TEST(Spelling, Distance) {
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("epochs", "epochs"), 0);
  EXPECT_EQ(edit_distance("epoch", "epochs"), 1);
  EXPECT_EQ(edit_distance("eopchs", "epochs"), 1);  // neighbours swapped
  EXPECT_EQ(edit_distance("global_batch", "global-batch"), 0);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
}

TEST(Spelling, NearestNameOnlyWhenItIsNear) {
  EXPECT_EQ(nearest_name("optimiser", {"optimizer", "output"}), "optimizer");
  EXPECT_EQ(nearest_name("weight_decay", {"weights", "weight-decay"}), "weight-decay");
  EXPECT_EQ(nearest_name("frobnicate", {"optimizer", "output"}), "");
}

}  // namespace
}  // namespace convoy
