#include <gtest/gtest.h>

#include "cli/habits.hpp"

namespace convoy {
namespace {

TEST(Habits, OfOtherPrograms) {
  for (const char* typed : {"--batch-size", "-b", "--batch_size"})
    EXPECT_NE(habit_advice(typed).find("--global-batch"), std::string::npos) << typed;
  EXPECT_NE(habit_advice("--start-epoch").find("--resume"), std::string::npos);
  EXPECT_NE(habit_advice("-solver").find("--config"), std::string::npos);
  EXPECT_EQ(habit_advice("--frobnicate"), "");
}

}  // namespace
}  // namespace convoy
