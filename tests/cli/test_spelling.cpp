#include <gtest/gtest.h>

#include "cli/spelling.hpp"

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

TEST(Spelling, HabitsOfOtherPrograms) {
  for (const char* typed : {"--batch-size", "-b", "--batch_size"})
    EXPECT_NE(habit_advice(typed).find("--global-batch"), std::string::npos) << typed;
  EXPECT_NE(habit_advice("--start-epoch").find("--resume"), std::string::npos);
  EXPECT_NE(habit_advice("-solver").find("--config"), std::string::npos);
  EXPECT_EQ(habit_advice("--frobnicate"), "");
}

}  // namespace
}  // namespace convoy
